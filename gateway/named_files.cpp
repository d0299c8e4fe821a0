// Chats that name files which were put through this gateway: only their team may use them, and only where they are kept.

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "gateway/exchange.hpp"

namespace tollgate {
namespace {

bool holds(std::string_view text, std::string_view part) noexcept { return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr; }

/// `file_id` of a part (OpenAI's chats and responses) or of a source (Anthropic's messages), `file_ids` of a tool; at any level.
std::vector<std::string> ids_in(const nlohmann::json& body) {
  std::vector<std::string> ids;
  std::vector<const nlohmann::json*> left{&body};
  const auto note = [&](const nlohmann::json& value) {
    if (value.is_string()) ids.push_back(value.get<std::string>());
  };
  while (!left.empty()) {
    const nlohmann::json& value = *left.back();
    left.pop_back();
    if (value.is_object()) {
      if (const auto id = value.find("file_id"); id != value.end()) note(*id);
      if (const auto several = value.find("file_ids"); several != value.end() && several->is_array()) std::for_each(several->begin(), several->end(), note);
    }
    if (!value.is_structured()) continue;
    for (const nlohmann::json& below : value) left.push_back(&below);
  }
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
  const nlohmann::json body = nlohmann::json::parse(said, nullptr, false);
  if (body.is_discarded()) return fail(Fault::bad_request, "the body is not valid JSON");
  NameId holder = NameId::none;
  for (const std::string& id : ids_in(body)) {
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
