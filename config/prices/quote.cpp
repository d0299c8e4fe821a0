#include "config/prices/quote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tollgate::prices {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t count_max = 1'000'000'000'000;

Quote refused(Quote::Status status, std::string reason) {
  Quote quote;
  quote.status = status;
  quote.reason = std::move(reason);
  return quote;
}

std::string dotted(const std::vector<Step>& path) {
  std::string text;
  for (const Step& step : path)
    text += (text.empty() ? "" : ".") + (step.equals ? "[" + step.key + "=" + *step.equals + "]" : step.key);
  return text;
}

/// What stands at the end of a path; nullptr if the path leads nowhere.
const Json* follow(const Json& from, const std::vector<Step>& path) {
  const Json* at = &from;
  for (const Step& step : path) {
    if (!step.equals) {
      if (!at->is_object()) return nullptr;
      const auto found = at->find(step.key);
      if (found == at->end()) return nullptr;
      at = &*found;
      continue;
    }
    if (!at->is_array()) return nullptr;
    const auto found = std::find_if(at->begin(), at->end(), [&](const Json& element) {
      return element.is_object() && element.contains(step.key) && element.at(step.key) == *step.equals;
    });
    if (found == at->end()) return nullptr;
    at = &*found;
  }
  return at;
}

Result<std::int64_t> count_at(const Json& value, const std::vector<Step>& path) {
  const auto wrong = [&](const char* why) {
    return fail(Fault::bad_request, fmt::format("usage.{}: {}", dotted(path), why));
  };
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(count_max))
    return wrong("more than any request can use");
  if (value.is_number_integer()) {
    const auto count = value.get<std::int64_t>();
    if (count < 0) return wrong("a count cannot be negative");
    if (count > count_max) return wrong("more than any request can use");
    return count;
  }
  const double count = value.get<double>();  // 12.0: some providers write whole counts so
  if (!(count >= 0) || count > static_cast<double>(count_max))
    return wrong("a count cannot be negative, nor past what any request can use");
  const auto whole = static_cast<std::int64_t>(count);
  if (static_cast<double>(whole) != count) return wrong("a count is a whole number");
  return whole;
}

/// The usage object may be given with or without what the answer wraps it in.
const Json& unwrap(const UsageForm& form, const Json& usage) {
  if (form.root.size() < 2) return usage;
  const auto inner = usage.is_object() ? usage.find(form.root.back()) : usage.end();
  return usage.is_object() && inner != usage.end() && inner->is_object() ? *inner : usage;
}

// OpenAI's own shapes, which providers that the book says nothing of nearly always follow.
const std::vector<UsageForm>& common_forms() {
  static const std::vector<UsageForm> forms = [] {
    const auto unit = [](std::string_view kind) { return unit_of_kind(kind).value(); };
    const UsageForm chat{"chat",
                         {"usage"},
                         {{unit("input"), {{"prompt_tokens", {}}}, true},
                          {unit("cached_input"), {{"prompt_tokens_details", {}}, {"cached_tokens", {}}}, false},
                          {unit("input_audio"), {{"prompt_tokens_details", {}}, {"audio_tokens", {}}}, false},
                          {unit("output_audio"), {{"completion_tokens_details", {}}, {"audio_tokens", {}}}, false},
                          {unit("reasoning"), {{"completion_tokens_details", {}}, {"reasoning_tokens", {}}}, false},
                          {unit("output"), {{"completion_tokens", {}}}, true}}};
    const UsageForm embeddings{"embeddings", {"usage"}, {{unit("input"), {{"prompt_tokens", {}}}, true}}};
    return std::vector<UsageForm>{chat, embeddings};
  }();
  return forms;
}

/// Counts of every unit, and what is left of each once its priced parts are taken out.
class CountTable {
 public:
  explicit CountTable(const std::vector<Counted>& counts) {
    for (const Counted& counted : counts) reported_[counted.unit] = counted.count;
  }

  /// The count of a unit. One that was not reported is none, unless a part of it was: then the whole is not known.
  Result<std::int64_t> whole(UnitId id) const {
    if (reported_[id]) return *reported_[id];
    for (std::size_t part = 0; part < units().size(); ++part) {
      if (reported_[part].value_or(0) > 0 && part != id && units()[part].is_within(units()[id])) {
        return fail(Fault::bad_request, fmt::format("the usage tells {} but not the {} that it is part of",
                                                    units()[part].kind, units()[id].kind));
      }
    }
    TOLLGATE_TRY(overlap(id));
    return 0;
  }

 private:
  /// Two counts that overlap in `id` (cached input and audio input in cached audio) leave open how much is both.
  [[nodiscard]] Result<void> overlap(UnitId id) const {
    const Unit& wanted = units()[id];
    for (std::size_t a = 0; a < units().size(); ++a) {
      if (reported_[a].value_or(0) == 0 || a == id || !wanted.is_within(units()[a])) continue;
      for (std::size_t b = a + 1; b < units().size(); ++b) {
        if (reported_[b].value_or(0) == 0 || b == id || !wanted.is_within(units()[b])) continue;
        const Unit &left = units()[a], &right = units()[b];
        if (left.is_within(right) || right.is_within(left) || !joins(left, right, wanted)) continue;
        return fail(Fault::bad_request, fmt::format("the usage tells {} and {}, but not how much is both ({})",
                                                    left.kind, right.kind, wanted.kind));
      }
    }
    return success();
  }
  static bool joins(const Unit& a, const Unit& b, const Unit& both) noexcept {
    const auto join = [](const std::string& x, const std::string& y) { return x.empty() ? y : x; };
    return join(a.modality, b.modality) == both.modality && join(a.type, b.type) == both.type &&
           join(a.ttl, b.ttl) == both.ttl;
  }

  std::array<std::optional<std::int64_t>, 64> reported_{};
};

Price per_million(Price price, std::int64_t per) noexcept { return per == 1'000'000 ? price : price * 1'000'000 / per; }

Amount amount(Price price, std::int64_t quantity, std::int64_t per) noexcept {
  constexpr Int128 million = 1'000'000;
  const Int128 product = price * quantity;  // 10^-18 USD, times `per`
  if (million % per == 0) return product * (million / per);
  return (product * million + per / 2) / per;  // per hour, or per billion: a rest below 10^-24 USD
}

}  // namespace

std::string_view name_of(Quote::Status status) noexcept {
  switch (status) {
    case Quote::Status::priced:
      return "priced";
    case Quote::Status::unpriced:
      return "unpriced";
    case Quote::Status::invalid:
      return "invalid";
  }
  return "invalid";
}

Result<std::vector<Counted>> read_usage(const UsageForm& form, const Json& given) {
  const Json& usage = unwrap(form, given);
  if (!usage.is_object()) return fail(Fault::bad_request, "usage: expected an object");
  std::vector<Counted> counts;
  for (const UsageForm::Count& count : form.counts) {
    const Json* const value = follow(usage, count.path);
    if (value == nullptr || !value->is_number()) {
      if (!count.required) continue;
      return fail(Fault::bad_request,
                  fmt::format("usage.{} is missing: it stands in every answer of '{}'", dotted(count.path), form.api));
    }
    TOLLGATE_TRY(const std::int64_t number, count_at(*value, count.path));
    const auto known =
        std::find_if(counts.begin(), counts.end(), [&](const Counted& counted) { return counted.unit == count.unit; });
    if (known == counts.end()) {
      counts.push_back({count.unit, number});
    } else {
      known->count += number;
    }
  }
  if (counts.empty()) return fail(Fault::bad_request, fmt::format("usage: nothing in it is a count of '{}'", form.api));
  return counts;
}

const UsageForm* form_of(const Provider& provider, std::string_view api) {
  const std::vector<UsageForm>& forms = provider.forms.empty() ? common_forms() : provider.forms;
  const auto find = [&](std::string_view wanted) -> const UsageForm* {
    const auto found =
        std::find_if(forms.begin(), forms.end(), [&](const UsageForm& form) { return form.api == wanted; });
    return found == forms.end() ? nullptr : &*found;
  };
  if (!api.empty()) {
    if (const UsageForm* form = find(api)) return form;
    // Many have one way to count, which the book calls their default: OpenAI's chat form, or one that bears their name.
    return api == "chat" || api == provider.id ? find("default") : nullptr;
  }
  for (const char* const usual : {"default", "chat"}) {
    if (const UsageForm* form = find(usual)) return form;
  }
  return &forms.front();
}

Quote price_counts(const Tariff& tariff, const std::vector<Counted>& counts) {
  const CountTable table(counts);
  struct Part {
    UnitId unit;
    const Rate* rate;
    std::int64_t rest;
  };
  std::vector<Part> parts;
  for (const auto& [unit, rate] : tariff.rates) parts.push_back({unit, &rate, 0});
  // The most particular first: what it holds is taken out of all that contain it.
  std::sort(parts.begin(), parts.end(),
            [](const Part& a, const Part& b) { return units()[a.unit].dimensions() > units()[b.unit].dimensions(); });
  Quote quote;
  quote.status = Quote::Status::priced;
  std::int64_t input_tokens = 0;
  const bool tiered =
      std::any_of(parts.begin(), parts.end(), [](const Part& part) { return !part.rate->above.empty(); });
  if (tiered) {
    const Result<std::int64_t> whole = table.whole(unit_of_kind("input").value());
    if (!whole) return refused(Quote::Status::invalid, whole.error().message);
    input_tokens = whole.value();
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Unit& unit = units()[parts[i].unit];
    if (unit.family == "requests") {
      parts[i].rest = 1;
      continue;
    }
    const Result<std::int64_t> whole = table.whole(parts[i].unit);
    if (!whole) return refused(Quote::Status::invalid, whole.error().message);
    parts[i].rest = whole.value();
    for (std::size_t j = 0; j < i; ++j) {
      if (units()[parts[j].unit].is_within(unit)) parts[i].rest -= parts[j].rest;
    }
    if (parts[i].rest < 0)
      return refused(Quote::Status::invalid, fmt::format("the parts of {} come to more than all of it", unit.kind));
  }
  for (const auto& [unit_id, rate] : tariff.rates) {  // lines in the book's order
    const auto part =
        std::find_if(parts.begin(), parts.end(), [&, id = unit_id](const Part& p) { return p.unit == id; });
    if (part->rest == 0) continue;
    const Unit& unit = units()[unit_id];
    const Price price = rate.at(input_tokens);
    const Amount usd = amount(price, part->rest, unit.per);
    quote.lines.push_back({unit_id, part->rest, per_million(price, unit.per), usd});
    quote.usd += usd;
    if (unit.direction == Direction::input) quote.input_usd += usd;
    if (unit.direction == Direction::output) quote.output_usd += usd;
  }
  return quote;
}

Quote price_usage(const PriceBook& book, const Question& question) {
  const Provider* const provider = book.find_provider(question.provider);
  if (provider == nullptr)
    return refused(Quote::Status::unpriced, fmt::format("the price book knows no provider '{}'", question.provider));
  const UsageForm* const form = form_of(*provider, question.api);
  if (form == nullptr)
    return refused(Quote::Status::unpriced,
                   fmt::format("how '{}' counts usage on '{}' is not known", provider->id, question.api));
  const Result<std::vector<Counted>> counts = read_usage(*form, question.usage);
  if (!counts) return refused(Quote::Status::invalid, counts.error().message);
  const Model* const model = book.find_model(*provider, question.model);
  if (model == nullptr)
    return refused(Quote::Status::unpriced,
                   fmt::format("the price book knows no model '{}' of {}", question.model, provider->id));
  const Tariff& tariff = model->tariff(question.at);
  if (tariff.rates.empty())
    return refused(Quote::Status::unpriced,
                   fmt::format("the price book has no price for '{}' of {}", question.model, provider->id));
  return price_counts(tariff, counts.value());
}

}  // namespace tollgate::prices
