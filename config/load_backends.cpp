// `backends:`, all but their models (load_targets.cpp).
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>

#include "config/address.hpp"
#include "config/decimal.hpp"
#include "config/dialects.hpp"
#include "config/draft.hpp"
#include "config/spelling.hpp"

namespace tollgate {
namespace {

using std::chrono::hours;

/// What a simulated engine can speak.
constexpr std::pair<std::string_view, DialectName> personalities[] = {{"openai", DialectName::openai},
                                                                      {"vllm", DialectName::vllm},
                                                                      {"anthropic", DialectName::anthropic},
                                                                      {"gemini", DialectName::gemini},
                                                                      {"bedrock", DialectName::bedrock},
                                                                      {"replicate", DialectName::replicate},
                                                                      {"runpod", DialectName::runpod},
                                                                      {"fal", DialectName::fal}};

DialectName personality_for(DialectName dialect) noexcept {
  const DialectFacts& facts = facts_of(dialect);
  switch (facts.form) {
    case WireForm::anthropic:
      return DialectName::anthropic;
    case WireForm::gemini:
      return DialectName::gemini;
    case WireForm::bedrock:
      return DialectName::bedrock;
    case WireForm::job:
      return dialect;
    case WireForm::openai:
      break;
  }
  return facts.running_counts ? DialectName::vllm : DialectName::openai;
}

void load_simulated(const Cursor& place, Backend& backend) {
  SimulatedConfig simulated;
  simulated.personality = personality_for(backend.dialect);
  MapReader section(place);
  section.choice("personality", simulated.personality, personalities);
  section.integer("seed", simulated.seed, 0, std::numeric_limits<std::int64_t>::max());
  section.integer("slots", simulated.slots, 1, 4096);
  section.integer("prefill_tokens_per_second", simulated.prefill_tokens_per_second, 1, 10'000'000);
  section.integer("decode_tokens_per_second", simulated.decode_tokens_per_second, 1, 1'000'000);
  section.integer("decode_tokens_per_second_total", simulated.decode_tokens_per_second_total, 1, 10'000'000);
  section.integer("output_tokens_mean", simulated.output_tokens_mean, 1, 100'000);
  const WireForm form = facts_of(backend.dialect).form;
  const bool other_jobs = form == WireForm::job && simulated.personality != backend.dialect;
  if (facts_of(simulated.personality).form != form || other_jobs) {
    section.at("personality").report("speaks another protocol than this backend's dialect; remove one of the two");
  }
  if (section.cursor().present()) backend.simulated = simulated;
}

void load_address(MapReader& section, Backend& backend) {
  const Cursor url = section.at("url");
  load_simulated(section.at("simulated"), backend);
  const bool simulated = section.at("simulated").present();
  if (url.present() && simulated) url.report("a simulated backend has no url; remove one of the two");
  if (url.present() && !simulated) {
    const auto text = url.text();
    if (!text) return;
    Result<BackendUrl> parsed = parse_backend_url(*text);
    if (!parsed) {
      url.report(parsed.error().message);
      return;
    }
    backend.url = std::move(parsed.value().text);
  }
  if (url.present() || simulated) return;
  const std::string_view known = facts_of(backend.dialect).url;
  if (!known.empty()) {
    backend.url = known;
  } else if (backend.dialect == DialectName::bedrock && !backend.aws.region.empty()) {
    backend.url = fmt::format("https://bedrock-runtime.{}.amazonaws.com", backend.aws.region);
  } else if (backend.dialect == DialectName::bedrock) {
    section.cursor().report("url is missing; say aws: {region: …}, or where Bedrock is reached, such as https://bedrock-runtime.eu-central-1.amazonaws.com");
  } else if (backend.dialect == DialectName::azure_openai) {
    section.cursor().report("url is missing; say where the resource is, such as https://my-resource.openai.azure.com");
  } else if (backend.dialect == DialectName::vertex) {
    section.cursor().report("url is missing; say https://REGION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/REGION/publishers/google");
  } else {
    section.cursor().report("url is missing; say where the engine is, such as http://gpu-a:8000, or add simulated: {}");
  }
}

/// It becomes a header: a line break in it would be another header.
bool is_credential(const std::string& key, const Cursor& place) {
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!printable) place.report("a credential holds only printable ASCII characters and no blanks; was more than the key copied?");
  return printable;
}

/// `api_keys`: several keys of one provider, taken in turn.
void load_api_keys(const Cursor& place, Backend& backend) {
  constexpr std::size_t keys_max = 32;
  std::vector<Secret> keys;
  for (const Cursor& item : place.one_or_more()) {
    std::optional<std::string> key = item.secret();
    if (!key || !is_credential(*key, item)) continue;
    const bool known = std::any_of(keys.begin(), keys.end(), [&](const Secret& other) { return other.reveal() == *key; });
    if (known) {
      item.report("this key stands in the list already");
      continue;
    }
    keys.emplace_back(std::move(*key));
  }
  if (keys.size() > keys_max) place.report(fmt::format("at most {} keys can be given", keys_max));
  if (keys.empty()) return;
  backend.api_key = std::move(keys.front());
  backend.more_keys.assign(std::make_move_iterator(keys.begin() + 1), std::make_move_iterator(keys.end()));
}

void load_api_key(MapReader& section, Backend& backend) {
  const Cursor inline_key = section.at("api_key");
  const Cursor key_file = section.at("api_key_file");
  const Cursor key_list = section.at("api_keys");
  if (key_list.present() && (inline_key.present() || key_file.present())) {
    key_list.report("another key is given as well; put all of them into api_keys");
    return;
  }
  if (key_list.present()) return load_api_keys(key_list, backend);
  if (inline_key.present() && key_file.present()) {
    key_file.report("api_key is there as well; keep one of the two");
    return;
  }
  const Cursor& place = inline_key.present() ? inline_key : key_file;
  if (!place.present()) return;
  std::optional<std::string> key = inline_key.present() ? inline_key.secret() : read_credential_file(key_file);
  if (key && is_credential(*key, place)) backend.api_key = Secret(std::move(*key));
}

void load_labels(const Cursor& place, Backend& backend) {
  if (!place.present()) return;
  for (const auto& [key, value] : place.entries()) {
    if (key.text == "trust") {
      value.report("trust is a key of the backend, not a label; move it one level up");
      continue;
    }
    if (!is_legal_name(key.text, value, "label")) continue;
    if (auto label = value.text()) backend.labels.emplace(key.text, std::move(*label));
  }
}

void load_timeouts(MapReader section, Timeouts& timeouts) {
  constexpr milliseconds least{10};
  section.seconds("connect_seconds", timeouts.connect, least, hours(1));
  section.seconds("first_byte_seconds", timeouts.first_byte, least, hours(24));
  section.seconds("silence_seconds", timeouts.silence, least, hours(24));
  section.seconds("total_seconds", timeouts.total, least, hours(24));
}

void load_backend(const std::string& name, const Cursor& place, Draft& draft) {
  MapReader section(place);
  Backend backend;
  backend.name = Names::global().intern(name);
  const Cursor dialect = section.required("dialect");
  if (dialect.present()) {
    std::vector<std::string> words;
    for (const DialectFacts& facts : all_dialects()) words.emplace_back(facts.name);
    if (const auto index = dialect.one_of(words)) backend.dialect = all_dialects()[*index].dialect;
  }
  load_dialect(section, backend);
  if (section.cursor().present() && dialect.present()) load_address(section, backend);
  load_api_key(section, backend);
  check_credentials(section, backend);
  section.choice("trust", backend.trust, {{"internal", Trust::internal}, {"external", Trust::external}});
  load_labels(section.at("labels"), backend);
  load_pool(section.at("pool"), backend);
  load_engine(section.at("engine"), backend);
  load_timeouts(MapReader(section.at("timeouts")), backend.timeouts);
  RetryOverride retry;
  load_retry(section.at("retry"), retry);
  backend.retry = retry.over({});
  load_breaker(section.at("breaker"), backend.breaker);
  constexpr std::pair<std::string_view, bool> transports[] = {{"auto", false}, {"curl", true}};
  section.choice("transport", backend.curl, transports);
  const Cursor models = section.required("models");
  draft.config.backends.push_back(std::move(backend));
  draft.backend_places.push_back(place);
  if (models.present()) load_targets(models, draft.config.backends.size() - 1, draft);
}

}  // namespace

std::optional<std::string> read_credential_file(const Cursor& place) {
  constexpr std::size_t key_bytes_max = 16 * 1024;
  const auto path = place.text();
  if (!path) return std::nullopt;
  std::ifstream in(*path, std::ios::binary);
  if (!in) {
    place.report("the file cannot be opened; check the path and its permissions");
    return std::nullopt;
  }
  std::string key(key_bytes_max + 1, '\0');
  in.read(key.data(), static_cast<std::streamsize>(key.size()));
  key.resize(static_cast<std::size_t>(in.gcount()));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) key.pop_back();
  if (key.empty()) place.report("the file is empty; put the credential into it");
  if (key.size() > key_bytes_max) place.report("the file is too large for a credential; is it the right one?");
  if (key.empty() || key.size() > key_bytes_max) return std::nullopt;
  return key;
}

void load_backends(MapReader& root, Draft& draft) {
  const Cursor backends = root.required("backends");
  if (!backends.present()) return;
  const auto entries = backends.entries();
  for (const auto& [name, place] : entries) {
    if (is_legal_name(name.text, place, "backend")) load_backend(name.text, place, draft);
  }
  if (backends.is_map() && entries.empty()) backends.report("names no backend; add at least one");
}

}  // namespace tollgate
