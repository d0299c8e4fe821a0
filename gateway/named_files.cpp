// Chats that name files which were put through this gateway: only their team may use them, and only where they are kept.

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "gateway/exchange.hpp"

namespace tollgate {
namespace {

bool holds(std::string_view text, std::string_view part) noexcept { return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr; }

/// `file_id` of a part (OpenAI's chats and responses) or of a source (Anthropic's messages), `file_ids` of a tool; at any level, and every one
/// of a key that stands twice, since who reads it next may take either. nullopt: it is not JSON.
std::optional<std::vector<std::string>> ids_in(std::string_view body) {
  using Json = nlohmann::json;
  std::vector<std::string> ids;
  bool names_files = false;
  const auto note = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key) names_files = parsed == "file_id" || parsed == "file_ids";
    if (event == Json::parse_event_t::value && names_files && parsed.is_string()) ids.push_back(parsed.get<std::string>());
    return true;
  };
  if (Json::parse(body, note, false).is_discarded()) return std::nullopt;
  return ids;
}

}  // namespace

/// The backend that keeps the files which a chat names; none: it names none that is known. Ids that were made elsewhere are their provider's
/// business. Faults: not_found, for another team's too: who may not have it does not learn that it is there; bad_request.
Result<NameId> Exchange::holder_of_files() const {
  const StoredObjects& objects = reactor_.guards().objects;
  const std::string_view said = inbound_ ? std::string_view(inbound_->text) : std::string_view(body_);
  // Reading it all once more is for bodies that may hold such a key, perhaps written with escapes.
  if (objects.empty() || !(holds(said, "file_id") || holds(said, "\\u00"))) return NameId::none;
  const std::optional<std::vector<std::string>> ids = ids_in(said);
  if (!ids) return fail(Fault::bad_request, "the body is not valid JSON");
  NameId holder = NameId::none;
  for (const std::string& id : *ids) {
    const std::optional<StoredObject> object = objects.find(id);
    if (!object) continue;
    if (!serving_->config->passthrough.objects_shared && object->team != caller_.team) {
      return fail(Fault::not_found, "there is no '" + id + "' that was made through this gateway with a key of this team", "file_id");
    }
    if (holder != NameId::none && holder != object->backend) {
      return fail(Fault::bad_request, "the files of this request are kept at '" + std::string(text(holder)) + "' and '" + std::string(text(object->backend)) +
                                          "'; no target has them all", "file_id");
    }
    holder = object->backend;
  }
  return holder;
}

Result<void> Exchange::keep_named_files() {
  TOLLGATE_TRY(const NameId holder, holder_of_files());
  if (holder == NameId::none) return success();
  const Target* const first = plan_->steps.front().target;
  const auto stands_elsewhere = [&](const Step& step) { return serving_->config->backend_of(*step.target).name != holder; };
  plan_->steps.erase(std::remove_if(plan_->steps.begin(), plan_->steps.end(), stands_elsewhere), plan_->steps.end());
  if (plan_->steps.empty()) {
    return fail(Fault::no_target_up, "the files of this request are kept at backend '" + std::string(text(holder)) + "', which it may not use or which cannot be used now");
  }
  if (plan_->steps.front().target != first) plan_->steps.front().why = Why::asked_for;
  return success();
}

}  // namespace tollgate
