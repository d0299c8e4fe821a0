// FOCUS, the FinOps Open Cost and Usage Specification, version 1.2: its mandatory columns and those of the conditional
// ones that apply here. Columns that are ours begin with x_, as the specification wants.
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"

namespace tollgate::cli {
namespace {

using namespace std::chrono;

/// A line as columns and values, so that neither can lack the other.
using Fields = std::vector<std::pair<const char*, std::string>>;

/// The days around: [start, end) of a day and of its month, as FOCUS writes times.
struct Periods {
  std::string day_start, day_end, month_start, month_end;
};

std::string midnight(sys_days day) {
  const year_month_day date{day};
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT00:00:00Z", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

Periods periods_of(const std::string& date) {
  const year_month_day day{year{std::stoi(date.substr(0, 4))},
                           month{static_cast<unsigned>(std::stoul(date.substr(5, 2)))},
                           std::chrono::day{static_cast<unsigned>(std::stoul(date.substr(8, 2)))}};
  const year_month month = day.year() / day.month();
  return {midnight(sys_days{day}), midnight(sys_days{day} + days{1}), midnight(sys_days{month / 1}),
          midnight(sys_days{(month + months{1}) / 1})};
}

/// The price of one unit if it is the same decimal for all of them; "" where prices were mixed or a line was rounded:
/// quantity × price must be the cost.
std::string unit_price(UsdSum cost, std::int64_t quantity) {
  constexpr int decimals = 18;
  const Int128 scaled = cost.picodollars() * 1'000'000;
  if (quantity <= 0 || scaled % quantity != 0) return "";
  return decimal_text(scaled / quantity, decimals);
}

struct Meter {
  std::string description, unit;
  std::int64_t quantity = 0;
  std::string category = "Standard";
};

/// How a kind of charge is measured: tokens where it is charged by tokens, else by attempt.
Meter meter_of(const CostsReport& report, const CostsRow& row, const std::string& kind) {
  for (std::size_t i = 0; i < report.token_classes.size(); ++i) {
    if (report.token_classes[i] == kind) return {kind + " tokens", "Tokens", row.tokens[i], "Standard"};
  }
  // A share of hardware that is paid for by time has no price per request.
  if (kind == "gpu") return {"share of GPU time", "Requests", row.attempts, "Dynamic"};
  return {kind + " fee", "Requests", row.attempts, "Standard"};
}

// Columns that stand empty are those that must be there and do not apply. By name, as the specification has them.
Fields fields_of(const CostsRow& row, UsdSum cost, const std::string& kind, const Meter& meter) {
  // In the order of focus_dimensions().
  const std::string &date = row.labels[0], &target = row.labels[1], &team = row.labels[2], &key = row.labels[3];
  const std::string backend = target.substr(0, target.find('/'));
  const std::string model = target.substr(std::min(target.size(), backend.size() + 1));
  const Periods period = periods_of(date);
  const std::string usd = decimal_text(cost), quantity = std::to_string(meter.quantity);
  const std::string price = meter.category == "Standard" ? unit_price(cost, meter.quantity) : "";
  const nlohmann::ordered_json tags{{"team", team}, {"key", key}, {"backend", backend}, {"model", model}};
  const std::string sku = target + ":" + kind;
  return {{"BilledCost", usd},
          {"BillingAccountId", "tollgate"},
          {"BillingAccountName", "Tollgate"},
          {"BillingAccountType", "Gateway"},
          {"BillingCurrency", "USD"},
          {"BillingPeriodEnd", period.month_end},
          {"BillingPeriodStart", period.month_start},
          {"ChargeCategory", "Usage"},
          {"ChargeClass", ""},
          {"ChargeDescription", model + ": " + meter.description},
          {"ChargeFrequency", "Usage-Based"},
          {"ChargePeriodEnd", period.day_end},
          {"ChargePeriodStart", period.day_start},
          {"CommitmentDiscountCategory", ""},
          {"CommitmentDiscountId", ""},
          {"CommitmentDiscountName", ""},
          {"CommitmentDiscountStatus", ""},
          {"CommitmentDiscountType", ""},
          {"ConsumedQuantity", quantity},
          {"ConsumedUnit", meter.unit},
          {"ContractedCost", usd},
          {"ContractedUnitPrice", price},
          {"EffectiveCost", usd},
          {"InvoiceIssuerName", backend},
          {"ListCost", usd},
          {"ListUnitPrice", price},
          {"PricingCategory", meter.category},
          {"PricingCurrency", "USD"},
          {"PricingQuantity", quantity},
          {"PricingUnit", meter.unit},
          {"ProviderName", backend},
          {"PublisherName", backend},
          {"RegionId", ""},
          {"RegionName", ""},
          {"ResourceId", target},
          {"ResourceName", model},
          {"ResourceType", "Model"},
          {"ServiceCategory", "AI and Machine Learning"},
          {"ServiceName", backend + " " + model},
          {"ServiceSubcategory", "Generative AI"},
          {"SkuId", sku},
          {"SkuMeter", meter.description},
          {"SkuPriceDetails", ""},
          {"SkuPriceId", sku},
          {"SubAccountId", team},
          {"SubAccountName", team},
          {"SubAccountType", "Team"},
          {"Tags", tags.dump()},
          {"x_Requests", std::to_string(row.requests)}};
}

void print_line(const Fields& fields, bool heading) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : fields) texts.push_back(heading ? name : value);
  std::printf("%s\r\n", csv_line(texts).c_str());
}

}  // namespace

std::vector<Dimension> focus_dimensions() {
  return {Dimension::day, Dimension::target, Dimension::team, Dimension::key};
}

void print_focus(const CostsReport& report) {
  CostsRow no_row;
  no_row.labels = {"1970-01-01", "", "", ""};
  print_line(fields_of(no_row, {}, "", {}), true);
  for (const CostsRow& row : report.rows) {
    for (std::size_t i = 0; i < report.kinds.size(); ++i) {
      const Meter meter = meter_of(report, row, report.kinds[i]);
      const bool charged = row.spend[i] != UsdSum{};
      if (charged) print_line(fields_of(row, row.spend[i], report.kinds[i], meter), false);
    }
  }
}

}  // namespace tollgate::cli
