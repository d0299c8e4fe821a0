#include "config/prices/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"

namespace tollgate::prices {

namespace {

using Json = nlohmann::ordered_json;

/// Builds a document in which a fraction is the string that stood in the text: what a float would make of 0.1 is not
/// its price.
class Lexemes {
 public:
  Json document;
  std::string error;

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(std::int64_t value) { return put(value); }
  bool number_unsigned(std::uint64_t value) { return put(value); }
  bool number_float(double, const std::string& lexeme) { return put(lexeme); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& what) {
    error = what.what();
    return false;
  }

 private:
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    Json* const at = place(std::move(value));
    open_.push_back(at);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  Json* place(Json value) {
    if (open_.empty()) {
      document = std::move(value);
      return &document;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    Json& slot = parent[key_];
    slot = std::move(value);
    return &slot;
  }
  std::vector<Json*> open_;  // a parent does not grow while one of its children is open
  std::string key_;
};

struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string number_text(const Json& value, const std::string& where) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  throw Wrong(where + ": expected a number");
}

/// A price in USD per `per` of its unit, from one in USD per single unit where `single`.
std::string price_text(const Json& value, const std::string& where, bool single) {
  const std::string text = number_text(value, where);
  const Result<Int128> scaled = scaled_decimal(text, single ? price_decimals + 6 : price_decimals);
  if (!scaled) throw Wrong(fmt::format("{}: {}", where, scaled.error().message));
  return decimal_text(scaled.value(), price_decimals);
}

// ---- genai-prices ----

Json match_from_genai(const Json& rule, const std::string& where) {
  static const std::map<std::string, std::string> names{{"equals", "is"},      {"starts_with", "starts"},
                                                        {"ends_with", "ends"}, {"contains", "contains"},
                                                        {"regex", "regex"},    {"or", "any"},
                                                        {"and", "all"}};
  if (!rule.is_object() || rule.size() != 1 || !names.contains(rule.begin().key()))
    throw Wrong(where + ": a match of no known form");
  const Json& value = rule.begin().value();
  Json made;
  Json& to = made[names.at(rule.begin().key())];
  if (value.is_array()) {
    to = Json::array();
    for (const Json& part : value) to.push_back(match_from_genai(part, where));
  } else {
    to = value;
  }
  return made;
}

Json rate_from_genai(const Json& value, const std::string& where) {
  if (!value.is_object()) return price_text(value, where, false);
  Json rate{{"base", price_text(value.at("base"), where, false)}, {"above", Json::array()}};
  for (const Json& tier : value.at("tiers"))
    rate["above"].push_back(Json::array({tier.at("start"), price_text(tier.at("price"), where, false)}));
  return rate;
}

Json tariff_from_genai(const Json& prices, const Json& constraint, const std::string& where,
                       std::vector<std::string>& skipped) {
  Json tariff = Json::object();
  if (constraint.is_object()) {
    if (constraint.contains("start_date")) {
      tariff["from"] = constraint.at("start_date");
    } else if (constraint.contains("start_time")) {
      const auto clock = [&](const char* key) {
        std::string text = constraint.at(key).get<std::string>();
        if (!text.ends_with('Z')) throw Wrong(where + ": a time of day that is not in UTC");
        text.pop_back();
        return text;
      };
      tariff["daily"] = Json::array({clock("start_time"), clock("end_time")});
    } else {
      throw Wrong(where + ": a constraint of no known form");
    }
  }
  tariff["usd"] = Json::object();
  for (const auto& [key, value] : prices.items()) {
    if (value.is_null()) continue;
    const auto unit = unit_of_price_key(key);
    if (!unit) {
      skipped.push_back(fmt::format("{}: {} is no price this book knows", where, key));
      continue;
    }
    tariff["usd"][units()[*unit].kind] = rate_from_genai(value, where + "." + key);
  }
  return tariff;
}

Json form_from_genai(const Json& extractor, const std::string& where, std::vector<std::string>& skipped) {
  Json form;
  form["api"] = extractor.value("api_flavor", "default");
  const Json& root = extractor.at("root");
  form["root"] = root.is_array() ? root : Json::array({root});
  form["counts"] = Json::array();
  for (const Json& mapping : extractor.at("mappings")) {
    const auto key = mapping.at("dest").get<std::string>();
    const auto unit = unit_of_usage_key(key);
    if (!unit) {
      skipped.push_back(fmt::format("{}: {} is no count this book knows", where, key));
      continue;
    }
    Json path = Json::array();
    const Json& steps = mapping.at("path");
    for (const Json& step : steps.is_array() ? steps : Json::array({steps})) {
      if (step.is_string()) {
        path.push_back(step);
      } else {
        path.push_back({{"where", step.at("field")}, {"is", step.at("match").at("equals")}});
      }
    }
    Json count{{"kind", units()[*unit].kind}, {"path", path}};
    if (mapping.value("required", true)) count["required"] = true;
    form["counts"].push_back(std::move(count));
  }
  return form;
}

Json provider_from_genai(const Json& from, std::vector<std::string>& skipped) {
  Json provider;
  const auto id = from.at("id").get<std::string>();
  provider["id"] = id;
  if (from.contains("provider_match") && !from.at("provider_match").is_null())
    provider["match"] = match_from_genai(from.at("provider_match"), id);
  if (from.contains("api_pattern")) provider["url"] = from.at("api_pattern");
  if (from.contains("fallback_model_providers") && from.at("fallback_model_providers").is_array())
    provider["serves_models_of"] = from.at("fallback_model_providers");
  if (from.contains("extractors") && from.at("extractors").is_array()) {
    for (const Json& extractor : from.at("extractors"))
      provider["usage"].push_back(form_from_genai(extractor, id, skipped));
  }
  provider["models"] = Json::array();
  for (const Json& entry : from.at("models")) {
    Json model;
    model["id"] = entry.at("id");
    const std::string where = id + "/" + entry.at("id").get<std::string>();
    Json match = match_from_genai(entry.at("match"), where);
    if (match != Json{{"is", model["id"]}}) model["match"] = std::move(match);
    model["prices"] = Json::array();
    const Json& prices = entry.at("prices");
    if (prices.is_array()) {
      for (const Json& conditional : prices) {
        model["prices"].push_back(
            tariff_from_genai(conditional.at("prices"), conditional.value("constraint", Json()), where, skipped));
      }
    } else {
      model["prices"].push_back(tariff_from_genai(prices, Json(), where, skipped));
    }
    provider["models"].push_back(std::move(model));
  }
  return provider;
}

// ---- LiteLLM ----

/// LiteLLM's names of providers that this book calls otherwise.
std::string provider_from_litellm(const std::string& name) {
  static const std::map<std::string, std::string> names{{"bedrock", "aws"},
                                                        {"bedrock_converse", "aws"},
                                                        {"bedrock_mantle", "aws"},
                                                        {"azure_ai", "azure"},
                                                        {"azure_text", "azure"},
                                                        {"gemini", "google"},
                                                        {"fireworks_ai", "fireworks"},
                                                        {"together_ai", "together"},
                                                        {"xai", "x-ai"},
                                                        {"moonshot", "moonshotai"},
                                                        {"voyage", "voyageai"},
                                                        {"cohere_chat", "cohere"},
                                                        {"text-completion-openai", "openai"},
                                                        {"codestral", "mistral"},
                                                        {"text-completion-codestral", "mistral"},
                                                        {"fireworks_ai-embedding-models", "fireworks"}};
  if (name.starts_with("vertex_ai")) return "google";
  const auto found = names.find(name);
  return found == names.end() ? name : found->second;
}

/// The kind that a LiteLLM key prices, and from how many input tokens on; nullopt: none that this book holds.
struct LitellmKey {
  std::string kind;
  std::int64_t above = 0;
};
std::optional<LitellmKey> litellm_key(std::string key) {
  static const std::map<std::string, std::string> kinds{
      {"input_cost_per_token", "input"},
      {"output_cost_per_token", "output"},
      {"cache_read_input_token_cost", "cached_input"},
      {"input_cost_per_token_cache_hit", "cached_input"},
      {"cache_creation_input_token_cost", "cache_write"},
      {"cache_creation_input_token_cost_above_1hr", "cache_write_1h"},
      {"output_cost_per_reasoning_token", "reasoning"},
      {"input_cost_per_audio_token", "input_audio"},
      {"output_cost_per_audio_token", "output_audio"},
      {"cache_read_input_audio_token_cost", "cached_input_audio"},
      {"cache_read_input_token_cost_per_audio_token", "cached_input_audio"},
      {"cache_creation_input_audio_token_cost", "cache_write_audio"},
      {"input_cost_per_image_token", "input_image"},
      {"output_cost_per_image_token", "output_image"},
      {"cache_read_input_image_token_cost", "cached_input_image"},
      {"citation_cost_per_token", "citation"}};
  LitellmKey found;
  if (const std::size_t above = key.find("_above_"); above != std::string::npos && key.ends_with("k_tokens")) {
    const std::string digits = key.substr(above + 7, key.size() - above - 7 - 8);
    if (digits.empty() || digits.size() > 6 ||
        !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    found.above = std::stoll(digits) * 1000;
    key.resize(above);
  }
  const auto kind = kinds.find(key);
  if (kind == kinds.end()) return std::nullopt;
  found.kind = kind->second;
  return found;
}

Json usd_from_litellm(const Json& entry, const std::string& where, std::vector<std::string>& skipped) {
  std::map<std::string, std::map<std::int64_t, std::string>> rates;
  for (const auto& [key, value] : entry.items()) {
    if (key.find("cost") == std::string::npos && key != "tiered_pricing") continue;
    const auto known = litellm_key(key);
    if (known && !value.is_null()) {
      rates[known->kind].emplace(known->above, price_text(value, where + "." + key, true));
    } else if (!value.is_null()) {
      skipped.push_back(fmt::format("{}: {} is no price this book holds", where, key));
    }
  }
  const bool all_zero = std::all_of(rates.begin(), rates.end(), [](const auto& rate) {
    return std::all_of(rate.second.begin(), rate.second.end(), [](const auto& price) { return price.second == "0"; });
  });
  if (!rates.empty() && all_zero) {
    skipped.push_back(fmt::format("{}: every price is 0, which that list also writes where it knows none", where));
    return Json::object();
  }
  Json usd = Json::object();
  for (const auto& [kind, prices] : rates) {
    const auto base = prices.find(0);
    if (base == prices.end()) {
      skipped.push_back(fmt::format("{}: {} has a price for long inputs only", where, kind));
    } else if (prices.size() == 1) {
      usd[kind] = base->second;
    } else {
      usd[kind] = Json{{"base", base->second}, {"above", Json::array()}};
      for (const auto& [above, price] : prices) {
        if (above != 0) usd[kind]["above"].push_back(Json::array({above, price}));
      }
    }
  }
  return usd;
}

Json providers_from_litellm(const Json& list, const Json& known_providers, std::vector<std::string>& skipped) {
  std::map<std::string, Json> models;
  for (const auto& [name, entry] : list.items()) {
    if (name == "sample_spec") continue;
    if (!entry.is_object() || !entry.contains("litellm_provider"))
      throw Wrong(name + ": an entry without litellm_provider");
    const auto listed_as = entry.at("litellm_provider").get<std::string>();
    const std::string provider = provider_from_litellm(listed_as);
    const Json usd = usd_from_litellm(entry, name, skipped);
    if (usd.empty()) continue;
    // "gemini/gemini-2.5-pro" is gemini-2.5-pro to its provider; the whole key stands for nothing there.
    const std::string id = name.starts_with(listed_as + "/") ? name.substr(listed_as.size() + 1) : name;
    Json& of_provider = models[provider];
    if (of_provider.is_null()) of_provider = Json::array();
    of_provider.push_back({{"id", id}, {"prices", Json::array({Json{{"usd", usd}}})}});
  }
  Json providers = Json::array();
  for (auto& [id, list_of] : models) {
    Json provider{{"id", id}};
    for (const Json& known : known_providers) {
      if (known.at("id") != id) continue;
      for (const char* const key : {"match", "url", "serves_models_of", "usage"}) {
        if (known.contains(key)) provider[key] = known.at(key);
      }
    }
    provider["models"] = std::move(list_of);
    providers.push_back(std::move(provider));
  }
  return providers;
}

using Rates = std::map<std::pair<std::string, std::string>, std::map<std::string, Rate>>;
Rates rates_of(const PriceBook& book, std::chrono::sys_seconds at) {
  Rates rates;
  for (const Provider& provider : book.providers) {
    for (const Model& model : provider.models) {
      auto& of_model = rates[{provider.id, model.id}];
      for (const auto& [unit, rate] : model.tariff(at).rates) of_model.emplace(units()[unit].kind, rate);
    }
  }
  return rates;
}

}  // namespace

Result<Imported> import_prices(std::string_view text, const std::string& source, const std::string& today) {
  Lexemes reader;
  if (!Json::sax_parse(text, &reader))
    return fail(Fault::bad_config, fmt::format("{}: not JSON: {}", source, reader.error));
  Imported imported;
  try {
    Json book{{"format", "tollgate-prices"}, {"version", 1}, {"as_of", today}};
    if (reader.document.is_array()) {
      book["origin"] = "genai-prices";
      book["providers"] = Json::array();
      for (const Json& provider : reader.document)
        book["providers"].push_back(provider_from_genai(provider, imported.skipped));
    } else if (reader.document.is_object() && reader.document.value("format", "") == "tollgate-prices") {
      book = reader.document;
    } else if (reader.document.is_object()) {
      book["origin"] = "LiteLLM";
      book["providers"] =
          providers_from_litellm(reader.document, Json::parse(built_in_text()).at("providers"), imported.skipped);
    } else {
      throw Wrong("a price list is an array of providers (genai-prices) or an object of models (LiteLLM)");
    }
    imported.text = book.dump(0);
  } catch (const Wrong& wrong) {
    return fail(Fault::bad_config, source + ": " + wrong.what());
  } catch (const Json::exception& error) {
    return fail(Fault::bad_config, source + ": " + error.what());
  }
  TOLLGATE_TRY(imported.book, read_book(imported.text, source));
  if (imported.book.model_count() == 0) return fail(Fault::bad_config, source + ": no model with a price in it");
  return imported;
}

std::vector<Change> difference(const PriceBook& before, const PriceBook& after, std::chrono::sys_seconds at) {
  const Rates old_rates = rates_of(before, at), new_rates = rates_of(after, at);
  std::vector<Change> changes;
  const auto compare = [&](const auto& name, const std::map<std::string, Rate>& was,
                           const std::map<std::string, Rate>& is) {
    for (const auto& [kind, rate] : was) {
      const auto now = is.find(kind);
      if (now == is.end()) {
        changes.push_back({name.first, name.second, kind, rate, std::nullopt});
      } else if (!(now->second == rate)) {
        changes.push_back({name.first, name.second, kind, rate, now->second});
      }
    }
    for (const auto& [kind, rate] : is) {
      if (!was.contains(kind)) changes.push_back({name.first, name.second, kind, std::nullopt, rate});
    }
  };
  for (const auto& [name, was] : old_rates) {
    const auto is = new_rates.find(name);
    if (is == new_rates.end()) {
      changes.push_back({name.first, name.second, "", Rate{}, std::nullopt});
    } else {
      compare(name, was, is->second);
    }
  }
  for (const auto& [name, is] : new_rates) {
    if (!old_rates.contains(name)) changes.push_back({name.first, name.second, "", std::nullopt, Rate{}});
  }
  return changes;
}

std::vector<std::string> implausible(const PriceBook& before, const PriceBook& after, std::chrono::sys_seconds at) {
  constexpr Int128 factor = 10;
  std::vector<std::string> doubts;
  std::size_t gone = 0, same_models = 0;
  for (const Change& change : difference(before, after, at)) {
    if (change.kind.empty()) {
      if (change.before) ++gone;
      continue;
    }
    if (!change.before || !change.after) continue;
    const Price was = change.before->base, is = change.after->base;
    if (is > was * factor || is * factor < was) {
      doubts.push_back(fmt::format("{}/{}: {} went from {} to {} USD per million", change.provider, change.model,
                                   change.kind, rate_text(*change.before), rate_text(*change.after)));
    }
  }
  for (const Provider& provider : before.providers) same_models += provider.models.size();
  if (before.origin == after.origin && gone * 2 > same_models) {
    doubts.push_back(fmt::format("{} of {} models are no longer in it: is it whole?", gone, same_models));
  }
  return doubts;
}

std::string rate_text(const Rate& rate) {
  std::string text = decimal_text(rate.base, price_decimals);
  for (const auto& [tokens, price] : rate.above)
    text += fmt::format(" ({} above {})", decimal_text(price, price_decimals), tokens);
  return text;
}

}  // namespace tollgate::prices
