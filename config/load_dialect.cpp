// What a backend's dialect needs beside its url and key: `api_version` and `auth` of Azure, `aws` of Bedrock, `drop_unsupported`, `responses`, `reported_costs`.
#include <fmt/format.h>

#include <algorithm>

#include "config/dialects.hpp"
#include "config/draft.hpp"

namespace tollgate {
namespace {

bool is_plain(std::string_view text, std::string_view also) noexcept {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos;
  });
}

void load_secret(const Cursor& place, Secret& out) {
  if (!place.present()) return;
  auto value = place.secret();
  if (!value) return;
  const bool printable = std::all_of(value->begin(), value->end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!printable) return place.report("a credential holds only printable ASCII characters and no blanks; was more than it copied?");
  out = Secret(std::move(*value));
}

void load_aws(const Cursor& place, Backend& backend) {
  if (!place.present()) return;
  if (backend.dialect != DialectName::bedrock) return place.report("only the dialect bedrock signs its requests with AWS credentials; remove aws");
  MapReader section(place);
  section.text("region", backend.aws.region);
  if (!is_plain(backend.aws.region, "-")) section.at("region").report("is no region of AWS, such as eu-central-1");
  load_secret(section.at("access_key_id"), backend.aws.access_key_id);
  load_secret(section.at("secret_access_key"), backend.aws.secret_access_key);
  load_secret(section.at("session_token"), backend.aws.session_token);
  const bool id = section.at("access_key_id").present(), secret = section.at("secret_access_key").present();
  if (id != secret) place.report(id ? "secret_access_key is missing beside access_key_id" : "access_key_id is missing beside secret_access_key");
  if (section.at("session_token").present() && !id) place.report("session_token goes with access_key_id and secret_access_key");
  if (id && !section.at("region").present()) place.report("region is missing; requests are signed for one, such as eu-central-1");
}

// OpenAI itself answers /v1/responses; of others that speak its protocol only some do, so they must be said to.
void load_responses(MapReader& section, Backend& backend) {
  const bool openai_itself = backend.dialect == DialectName::openai && !section.at("url").present() && !section.at("simulated").present();
  backend.responses = openai_itself;
  const Cursor place = section.at("responses");
  if (!place.present()) return;
  if (facts_of(backend.dialect).form != WireForm::openai) {
    return place.report("only backends that speak OpenAI's protocol can have /v1/responses; remove responses");
  }
  section.flag("responses", backend.responses);
}

// OpenRouter and xAI say with every answer what they charged for it; of others it must be said that they do, and may be believed.
void load_reported_costs(MapReader& section, Backend& backend) {
  backend.reported_costs = (backend.dialect == DialectName::openrouter || backend.dialect == DialectName::xai) && !section.at("pool").present();
  const Cursor place = section.at("reported_costs");
  if (!place.present()) return;
  if (facts_of(backend.dialect).form != WireForm::openai) {
    return place.report("only backends that speak OpenAI's protocol can say in their usage what an answer costs; remove reported_costs");
  }
  section.flag("reported_costs", backend.reported_costs);
  if (backend.reported_costs && section.at("pool").present()) {
    place.report("what a pool costs is known from its hardware; remove reported_costs or pool");
  }
}

}  // namespace

void load_dialect(MapReader& section, Backend& backend) {
  section.flag("drop_unsupported", backend.drop_unsupported);
  load_responses(section, backend);
  load_reported_costs(section, backend);
  const Cursor version = section.at("api_version");
  const Cursor auth = section.at("auth");
  const bool azure = backend.dialect == DialectName::azure_openai;
  if (version.present() && !azure) version.report("only the dialect azure-openai has dated versions; remove api_version");
  if (version.present() && azure) {
    section.text("api_version", backend.api_version);
    if (!is_plain(backend.api_version, "-")) version.report("is no version of Azure's API, such as 2024-10-21");
  }
  if (auth.present() && !azure) auth.report("only the dialect azure-openai takes two kinds of credentials; remove auth");
  constexpr std::pair<std::string_view, bool> kinds[] = {{"api_key", false}, {"entra_token", true}};
  if (auth.present() && azure) section.choice("auth", backend.bearer, kinds);
  load_aws(section.at("aws"), backend);
}

void check_credentials(MapReader& section, const Backend& backend) {
  if (backend.dialect != DialectName::bedrock || backend.simulated) return;
  if (!backend.api_key.empty() && !backend.aws.access_key_id.empty()) {
    section.at("aws").report("api_key is there as well; keep one of the two");
  }
}

bool serves_chat_only(const Backend& backend) noexcept {
  return facts_of(backend.dialect).form != WireForm::openai && backend.dialect != DialectName::runpod;   // whose worker takes OpenAI's bodies
}

}  // namespace tollgate
