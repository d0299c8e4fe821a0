#include "metrics/reconcile.hpp"

#include <gtest/gtest.h>

#include "config/decimal.hpp"
#include "metrics/csv.hpp"

namespace tollgate {
namespace {

// The headings are those of the providers' real exports; the figures are made up.
const std::string openai_usage =
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,"
    "input_tokens,output_tokens,input_cached_tokens,input_audio_tokens,output_audio_tokens\n";
const std::string openai_cost =
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,"
    "user_id,api_key_id,project_id,organization_id,project_name,organization_name,user_email,api_source\n";
const std::string anthropic_usage =
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed\n";
const std::string anthropic_cost =
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
    "inference_geo,speed\n";

/// Seconds of 2026-11-01.
std::string usage_row(const std::string& model, int requests, int input, int output, int cached, int at = 1793491200) {
  return std::to_string(at) + "," + std::to_string(at + 60) + ",,,proj," + std::to_string(requests) + ".0,,key," +
         model + ",false," + std::to_string(input) + "," + std::to_string(output) + "," + std::to_string(cached) +
         ",0,0\n";
}

std::string cost_row(const std::string& item, const std::string& usd) {
  return "1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00," + usd + ",usd,,,\"" + item +
         "\",,,,,,,,\n";
}

Invoice invoice_of(const std::vector<std::string>& files) {
  Invoice invoice;
  for (const std::string& file : files) {
    const Result<void> added = invoice.add(file, "export.csv");
    EXPECT_TRUE(added) << added.error().message;
  }
  return invoice;
}

std::string refusal_of(const std::string& file) {
  Invoice invoice;
  const Result<void> added = invoice.add(file, "export.csv");
  return added ? "accepted" : added.error().message;
}

TEST(CsvTest, QuotesLineBreaksAndByteOrderMarksAreUnderstood) {
  const auto rows = parse_csv(
                        "\xEF\xBB\xBF"
                        "a,b\r\n\"x,\"\"y\"\"\n2\",\r\n\n3,4")
                        .value();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].fields, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(rows[1].fields, (std::vector<std::string>{"x,\"y\"\n2", ""}));
  EXPECT_EQ(rows[2].fields, (std::vector<std::string>{"3", "4"}));
  EXPECT_EQ(rows[2].line, 5U);
  EXPECT_FALSE(parse_csv("a\n\"open"));
}

TEST(InvoiceTest, AModelHasOneNameHoweverItIsWritten) {
  for (const char* const name :
       {"Claude Sonnet 4.5", "claude-sonnet-4-5-20250929", "claude-sonnet-4.5", "claude-sonnet-4-5-latest"}) {
    EXPECT_EQ(plain_model_name(name), "claude-sonnet-4-5");
  }
  EXPECT_EQ(plain_model_name("gpt-4o-2024-08-06"), "gpt-4o");
  EXPECT_NE(plain_model_name("gpt-4o-mini"), plain_model_name("gpt-4o"));
}

TEST(InvoiceTest, CachedTokensOfOpenaiArePartOfTheirInputAndRowsOfADayAreAddedUp) {
  const Invoice invoice =
      invoice_of({openai_usage + "1793491200,1793491260,,,,,,,,,,,,,\n" + usage_row("gpt-4o", 3, 1000, 50, 200) +
                  usage_row("gpt-4o-2024-08-06", 1, 10, 5, 0)});
  ASSERT_EQ(invoice.entries().size(), 1U);
  const auto& [key, entry] = *invoice.entries().begin();
  EXPECT_EQ(key, (Invoice::Key{"2026-11-01", "gpt-4o"}));
  EXPECT_EQ(entry.requests, 4);
  EXPECT_EQ(entry.amounts.at("input").tokens, 810);
  EXPECT_EQ(entry.amounts.at("cached_input").tokens, 200);
  EXPECT_EQ(entry.amounts.at("output").tokens, 55);
}

TEST(InvoiceTest, MoneyOfAllDecimalsIsReadExactly) {
  const Invoice invoice = invoice_of({openai_cost + cost_row("gpt-4o, input", "0.003835980000000000000000000000") +
                                      cost_row("gpt-4o, cached input", "1.5e-05") + cost_row("gpt-4o, output", "1")});
  const InvoiceEntry& entry = invoice.entries().begin()->second;
  EXPECT_EQ(decimal_text(*entry.amounts.at("input").usd), "0.00383598");
  EXPECT_EQ(decimal_text(*entry.amounts.at("cached_input").usd), "0.000015");
  EXPECT_EQ(decimal_text(*entry.amounts.at("output").usd), "1");
}

TEST(InvoiceTest, AnthropicsClassesAreReadFromUsageAndCosts) {
  const Invoice invoice = invoice_of(
      {anthropic_usage +
           "2026-11-01,claude-sonnet-4-5-20250929,k,Default,standard,\xE2\x89\xA4 200k,100,10,5,20,30,0,global,\n",
       anthropic_cost + "2026-11-01,Claude Sonnet 4.5,Default,k,message,\xE2\x89\xA4 "
                        "200k,input_cache_read,0.10,1.00,token,global,\n"});
  ASSERT_EQ(invoice.entries().size(), 1U);
  const InvoiceEntry& entry = invoice.entries().begin()->second;
  EXPECT_EQ(entry.amounts.at("input").tokens, 100);
  EXPECT_EQ(entry.amounts.at("cache_write").tokens, 10);
  EXPECT_EQ(entry.amounts.at("cache_write_1h").tokens, 5);
  EXPECT_EQ(entry.amounts.at("cached_input").tokens, 20);
  EXPECT_EQ(decimal_text(*entry.amounts.at("cached_input").usd), "0.1");
  EXPECT_EQ(decimal_text(entry.amounts.at("cached_input").rounding), "0.005");
}

TEST(InvoiceTest, WhatCannotBeReadIsRefusedWithItsLine) {
  EXPECT_NE(refusal_of("a,b\n1,2\n").find("no export that is known"), std::string::npos);
  EXPECT_EQ(refusal_of(""), "export.csv is empty");
  EXPECT_NE(refusal_of(openai_usage + usage_row("", 1, 1, 1, 0)).find("export.csv:2: model"), std::string::npos);
  EXPECT_NE(refusal_of(openai_usage + usage_row("m", 1, 1, 1, 2)).find("less than the cached"), std::string::npos);
  EXPECT_NE(refusal_of(openai_cost + cost_row("m, input", "1.2.3")).find("amount of USD was expected"),
            std::string::npos);
  EXPECT_NE(refusal_of(anthropic_cost + "yesterday,m,,,,,output,1,,,,\n").find("a date"), std::string::npos);
  Invoice mixed = invoice_of({openai_usage + usage_row("m", 1, 1, 1, 0)});
  EXPECT_NE(mixed.add(anthropic_cost + "2026-11-01,m,,,,,output,1,,,,\n", "b.csv")
                .error()
                .message.find("one provider at a time"),
            std::string::npos);
}

/// A ledger's report: one day, one target, 1.00 USD per million input and 2.00 per million output tokens.
CostsReport ledger_of(std::int64_t input, std::int64_t output, std::int64_t attempts = 10,
                      const std::string& day = "2026-11-01") {
  CostsReport report;
  report.kinds = {"input", "output"};
  report.token_classes = {"input", "output", "reasoning"};
  CostsRow row;
  row.labels = {day, "openai/gpt"};
  row.requests = row.attempts = row.billed = attempts;
  row.tokens = {input, output, 0};
  row.spend = {UsdSum{static_cast<Int128>(input) * 1'000'000}, UsdSum{static_cast<Int128>(output) * 2'000'000}};
  report.rows.push_back(row);
  return report;
}

const std::map<std::string, std::string> models{{"openai/gpt", "gpt-4o"}};
const UsdSum cent{10'000'000'000};

std::string told(const Reconciliation& result) {
  std::string text;
  for (const Difference& each : result.differences) {
    text += (text.empty() ? "" : "; ") + std::string(name_of(each.kind)) + " " + each.token_class + " " +
            (each.usd ? decimal_text(*each.usd) : "unknown");
  }
  return text;
}

Reconciliation compare(const std::vector<std::string>& files, const CostsReport& report) {
  return reconcile(invoice_of(files), report, models, cent);
}

TEST(ReconcileTest, EqualAccountsAgree) {
  const Reconciliation result =
      compare({openai_usage + usage_row("gpt-4o", 10, 1'000'000, 500'000, 0),
               openai_cost + cost_row("gpt-4o, input", "1.0") + cost_row("gpt-4o, output", "1.00")},
              ledger_of(1'000'000, 500'000));
  EXPECT_EQ(told(result), "");
  EXPECT_EQ(result.beyond, 0);
  EXPECT_EQ(decimal_text(result.ledger_usd), "2");
  EXPECT_EQ(decimal_text(result.invoice_usd), "2");
}

TEST(ReconcileTest, ADifferenceSplitsIntoTokensAndPriceThatAddUpToItExactly) {
  const Reconciliation result =
      compare({openai_usage + usage_row("gpt-4o", 11, 1'100'000, 500'000, 0),
               openai_cost + cost_row("gpt-4o, input", "1.320000") + cost_row("gpt-4o, output", "1.00")},
              ledger_of(1'000'000, 500'000));
  EXPECT_EQ(told(result), "tokens input 0.1; price input 0.22");
  EXPECT_EQ(decimal_text(result.days[0].difference), "0.32");
  EXPECT_EQ(result.beyond, 1);
  EXPECT_NE(result.differences[0].explanation.find("11 requests"), std::string::npos);
  EXPECT_NE(result.differences[1].explanation.find("1.2 USD per million tokens, the ledger's 1"), std::string::npos);
}

TEST(ReconcileTest, UsageAloneIsPricedAsTheLedgerDid) {
  const Reconciliation result =
      compare({openai_usage + usage_row("gpt-4o", 10, 1'000'000, 501'000, 0)}, ledger_of(1'000'000, 500'000));
  EXPECT_EQ(told(result), "tokens output 0.002");
  EXPECT_EQ(result.beyond, 0) << "within the tolerance of a cent";
}

TEST(ReconcileTest, WhatTheProvidersRoundingCanHideIsNoFinding) {
  Invoice invoice;
  ASSERT_TRUE(invoice.add(anthropic_cost + "2026-11-01,GPT 4o,,,,,input_no_cache,1.01,1.01,token,,\n"
                                           "2026-11-01,GPT 4o,,,,,output,1.00,1.00,token,,\n",
                          "costs.csv"));
  const Reconciliation result = reconcile(invoice, ledger_of(1'006'000, 500'000), models, UsdSum{});
  EXPECT_EQ(told(result), "rounding input 0.004");
  EXPECT_EQ(result.beyond, 0);
}

TEST(ReconcileTest, CostsAloneCannotTellTokensFromPrices) {
  const Reconciliation result =
      compare({openai_cost + cost_row("gpt-4o, input", "1.50000") + cost_row("gpt-4o, output", "1.00")},
              ledger_of(1'000'000, 500'000));
  EXPECT_EQ(told(result), "amount input 0.5");
  EXPECT_NE(result.differences[0].explanation.find("add the usage export"), std::string::npos);
}

TEST(ReconcileTest, WhatOneSideDoesNotHaveIsSaidOnceWithItsWorth) {
  const Reconciliation unseen =
      compare({openai_usage + usage_row("gpt-5", 1, 1000, 10, 0)}, ledger_of(1'000'000, 500'000));
  EXPECT_EQ(told(unseen), "missing_in_invoice  -2; missing_in_ledger  unknown");
  EXPECT_EQ(unseen.beyond, 2) << "an unknown worth is never taken for zero";
  const Reconciliation other_day =
      compare({openai_cost + cost_row("gpt-4o, input", "3")}, ledger_of(1000, 0, 1, "2026-11-02"));
  EXPECT_EQ(told(other_day), "missing_in_ledger  3; missing_in_invoice  -0.001");
  EXPECT_EQ(other_day.beyond, 1);
}

TEST(ReconcileTest, UnpricedAttemptsOfTheLedgerMakeTheWorthOfTokensUnknown) {
  CostsReport report = ledger_of(1000, 10, 2);
  report.rows[0].unpriced = 1;
  report.rows[0].spend = {};
  report.rows[0].spend.resize(2);
  const Reconciliation result = compare({openai_usage + usage_row("gpt-4o", 2, 2000, 10, 0)}, report);
  EXPECT_EQ(told(result), "tokens input unknown");
  EXPECT_EQ(result.beyond, 1);
}

TEST(ReconcileTest, TargetsOfOtherProvidersAndRefusedAttemptsAreLeftOut) {
  CostsReport report = ledger_of(1'000'000, 500'000);
  report.rows.push_back(report.rows[0]);
  report.rows[1].labels[1] = "gpu/llama";
  report.rows.push_back(report.rows[0]);
  report.rows[2].labels[0] = "2026-11-02";
  report.rows[2].billed = 0;
  EXPECT_EQ(compare({openai_usage + usage_row("gpt-4o", 10, 1'000'000, 500'000, 0)}, report).days.size(), 1U);
}

}  // namespace
}  // namespace tollgate
