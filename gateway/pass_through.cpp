// Endpoints that go through as they are, images, audio, moderations, files, batches: where the way of their requests differs from that of a
// chat. Nothing is classified, translated, cached or hedged; keys, limits, budgets, constraints, routes, breakers, retries and books are the
// same. The request is there before it is sent, on disk if it is large, so that a model named at its end is known, and so that it can be sent again.

#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "backends/splice.hpp"
#include "gateway/exchange.hpp"
#include "router/constraints.hpp"
#include "router/plain_text.hpp"
#include "router/worst_case.hpp"

namespace tollgate {

namespace {

constexpr std::size_t model_bytes_max = 256;

/// Gives a form to its reader and to the spool.
class FormSink final : public BodySink {
 public:
  FormSink(FormReader& reader, Spool& spool) : reader_(reader), spool_(spool) {}
  Result<void> take(std::string_view piece) override {
    reader_.feed(piece);
    return spool_.append(piece);
  }

 private:
  FormReader& reader_;
  Spool& spool_;
};

bool asks_for_text(const Condition& when) noexcept { return when.pii.any() || when.keywords != nullptr; }

/// Whether anything depends on what stands in a request's text.
bool text_matters(const Config& config) noexcept {
  return std::any_of(config.constraints.begin(), config.constraints.end(), [](const Constraint& each) { return asks_for_text(each.when); }) ||
         std::any_of(config.routes.begin(), config.routes.end(), [](const Route& each) { return asks_for_text(each.when); });
}

bool looks_like_json(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

void add_text(ChatView& chat, std::string_view raw) {
  chat.texts.push_back({Role::user, 0, raw});
  chat.text_bytes += raw.size();
}

/// Plain text as the inside of a JSON string, which is how texts are kept.
void add_plain(ChatView& chat, std::string_view text) {
  std::string& quoted = chat.unescaped.emplace_front(json_quoted(text));
  add_text(chat, std::string_view(quoted).substr(1, quoted.size() - 2));
}

/// A file's text if it is text; else it counts as not readable, and what a constraint looks for as found.
void add_file(ChatView& chat, std::string_view content, std::size_t bytes_max) {
  const bool is_text = content.size() <= bytes_max && simdjson::validate_utf8(content.data(), content.size()) && content.find('\0') == std::string_view::npos;
  if (!is_text) {
    ++chat.text_bytes;                       // of which no text is there to be read
  } else if (looks_like_json(content)) {
    const auto take = [&chat](std::string_view inside) { add_text(chat, inside); };
    each_json_text(content, take, take);
  } else {
    add_plain(chat, content);
  }
}

/// Of the inside of a JSON string: Unicode's code points, of which an escape is one, and a pair of surrogates one as well.
std::uint64_t characters_in(std::string_view raw) noexcept {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto c = static_cast<unsigned char>(raw[i]);
    if (c == '\\' && i + 1 < raw.size()) {
      const bool unicode = raw[i + 1] == 'u' && i + 5 < raw.size();
      const bool second = unicode && (raw[i + 2] == 'd' || raw[i + 2] == 'D') && raw[i + 3] >= 'C' && raw[i + 3] != '9' && raw[i + 3] != 'a' && raw[i + 3] != 'b';
      count += second ? 0 : 1;
      i += unicode ? 5 : 1;
    } else if ((c & 0xC0U) != 0x80U) {
      ++count;
    }
  }
  return count;
}

std::int64_t count_in(std::string_view digits) noexcept {
  std::int64_t count = 0;
  for (const char c : digits.substr(0, 6)) {
    if (c < '0' || c > '9') return 1;
    count = count * 10 + (c - '0');
  }
  return std::max<std::int64_t>(count, 1);
}

}  // namespace

/// nullopt: none of these endpoints, or no target of this gateway serves it.
Result<std::optional<Exchange::Api>> Exchange::find_passed() {
  TOLLGATE_TRY(const std::optional<PassedPlace> place, passed_place(head_.method(), head_.path()));
  if (!place) return std::optional<Api>();
  const auto& targets = serving_->config->targets;
  const bool served = std::any_of(targets.begin(), targets.end(), [&](const Target& target) { return target.serves(place->surface); });
  if (!served) {
    const std::string name(name_of(place->surface));
    return fail(Fault::not_found, "no target of this gateway serves " + name + "; a model with `serves: " + name + "` would (docs/passthrough.md)");
  }
  surface_ = place->surface;
  passed_ = std::make_unique<PassedRequest>(*place);
  return std::optional(Api::passthrough);
}

Task<Result<void>> Exchange::pass_through() {
  Result<void> outcome = success();
  if (is_form(head_.field("content-type"))) {
    outcome = co_await read_form_body();
  } else {
    outcome = co_await read_plain_body();
  }
  read_at_ = std::chrono::steady_clock::now();
  if (!outcome) co_return outcome;
  if (!take_slot()) outcome = co_await wait_for_slot();
  if (outcome) outcome = decide_passed();
  if (outcome && needs_admission()) outcome = co_await admit();
  if (outcome) outcome = co_await forward();
  co_return outcome;
}

Task<Result<void>> Exchange::read_form_body() {
  client_.keep_rest();
  if (!passed_->place.form) co_return fail(Fault::bad_request, std::string(head_.path().substr(0, 128)) + " takes JSON, not a form");
  const PassThroughConfig& rules = serving_->config->passthrough;
  TOLLGATE_CO_TRY(FormReader reader, FormReader::of(head_.field("content-type")));
  passed_->spool = std::make_unique<Spool>(rules);
  FormSink sink(reader, *passed_->spool);
  TOLLGATE_CO_TRY(co_await client_.read_upload(head_, serving_->config->server, rules.body_bytes_max, sink));
  body_read_ = true;
  TOLLGATE_CO_TRY(passed_->body, passed_->spool->whole());
  passed_->delimiter = reader.delimiter();
  TOLLGATE_CO_TRY(const FormParts parts, reader.parts(passed_->body));
  co_return look_at_form(parts);
}

Task<Result<void>> Exchange::read_plain_body() {
  if (!client_.take_body(head_, serving_->config->server, ChatParser::padding, body_)) {
    TOLLGATE_CO_TRY(co_await client_.read_body(head_, serving_->config->server, ChatParser::padding, body_));
  }
  body_read_ = true;
  passed_->body = body_;
  co_return look_at_json();
}

Result<void> Exchange::look_at_json() {
  chat_.surface = body_map_.surface = surface_;
  if (body_.empty() && passed_->place.does != PassedPlace::Does::work) return success();
  if (!is_json(head_.field("content-type"))) return fail(Fault::bad_request, passed_->place.form ? "send a multipart/form-data or JSON body, with its content-type" : "send a JSON body with content-type: application/json");
  TOLLGATE_TRY(reactor_.parser().parse(body_, surface_, chat_, body_map_));
  passed_->model_at = body_map_.model_value.offset;
  passed_->model_bytes = body_map_.model_value.length;
  passed_->put_at = body_map_.after_brace;
  for (const TextPart& part : chat_.texts) chat_.characters += surface_ == Surface::speech ? characters_in(part.raw) : 0;
  chat_.image_size = chat_.unescaped.emplace_front(chat_.image_size);      // they outlive the body
  chat_.image_quality = chat_.unescaped.emplace_front(chat_.image_quality);
  return may_name(chat_.model);
}

Result<void> Exchange::look_at_form(const FormParts& parts) {
  chat_.surface = body_map_.surface = surface_;
  const bool reads = text_matters(*serving_->config);
  for (const FormPart& part : parts) {
    if (!part.is_file) {
      TOLLGATE_TRY(look_at_field(part));
      if (reads) add_plain(chat_, part.value);
    } else if (surface_ == Surface::images) {
      ++chat_.images;
    } else if (surface_ == Surface::transcriptions) {
      chat_.sound_bytes += part.value.size();
    } else if (reads) {
      add_file(chat_, part.value, serving_->config->server.body_bytes_max);
    }
  }
  if (!reads) {
    for (const FormPart& part : parts) chat_.text_bytes += part.is_file ? 0 : part.value.size();
    chat_.texts.clear();
  }
  return may_name(chat_.model);
}

Result<void> Exchange::look_at_field(const FormPart& field) {
  const auto keep = [this](std::string_view value) { return std::string_view(chat_.unescaped.emplace_front(value)); };   // it outlives the body
  if (field.name == "model") {
    if (field.value.empty() || field.value.size() > model_bytes_max) return fail(Fault::bad_request, "'model' must be a name of at most 256 characters", "model");
    chat_.model = keep(field.value);
    passed_->model_at = static_cast<std::size_t>(field.value.data() - passed_->body.data());
    passed_->model_bytes = field.value.size();
  } else if (field.name == "n") {
    chat_.choices = std::min(count_in(field.value), ChatParser::choices_max);
  } else if (field.name == "size") {
    chat_.image_size = keep(field.value);
  } else if (field.name == "quality") {
    chat_.image_quality = keep(field.value);
  } else if (field.name == "user") {
    chat_.user = keep(field.value);
  } else if (field.name == "stream") {
    chat_.stream = field.value == "true";
  }
  return success();
}

Result<void> Exchange::may_name(std::string_view model) const {
  if (model.empty() || may_use(caller_, model)) return success();
  return fail(Fault::forbidden_model, "this key may not use the model '" + std::string(model) + "'", "model");
}

Result<void> Exchange::decide_passed() {
  const Config& config = *serving_->config;
  screening_.emplace(chat_, passed_->spool ? std::string_view() : std::string_view(body_));
  if (config.rules != NameId::none) reactor_.books().covered(*record_, config.rules, covered_by(facts(), config));
  TOLLGATE_TRY(const NameId holder, holder_of_object());
  Result<Plan> plan = decide(facts(), config, reactor_.target_states(*serving_, std::chrono::steady_clock::now()));
  if (!plan) {
    if (plan.error().fault == Fault::constraint_unsatisfied) reactor_.constraint_counts().refused(config, record_->row.covered);
    return plan.error();
  }
  plan_ = std::move(plan.value());
  reactor_.books().decided(*record_, plan_->route, 0, Tier::simple);
  TOLLGATE_TRY(keep_permitted());
  if (names_model(surface_)) return success();
  return keep_one_place(holder);
}

/// The backend that holds what the request is about; none: it is about nothing that is kept already. Fault: not_found, also for what is
/// another team's: who may not have it does not learn that it is there.
Result<NameId> Exchange::holder_of_object() const {
  std::string named(passed_->place.id);
  if (named.empty() && surface_ == Surface::batches && passed_->place.does == PassedPlace::Does::make) {
    const nlohmann::json asked = nlohmann::json::parse(body_, nullptr, false);
    if (asked.is_object() && asked.contains("input_file_id") && asked["input_file_id"].is_string()) named = asked["input_file_id"].get<std::string>();
  }
  if (named.empty()) return NameId::none;
  const bool shared = serving_->config->passthrough.objects_shared;
  const std::optional<StoredObject> object = reactor_.guards().objects.find(named);
  if (object && (shared || object->team == caller_.team)) return object->backend;
  if (shared && !object) return NameId::none;          // made elsewhere: where the route says
  return fail(Fault::not_found, "there is no '" + named + "' that was made through this gateway with a key of this team", "id");
}

/// Who may not get the request as it is does not get it: nothing is masked here. And a key that is confined to models may use what it names.
Result<void> Exchange::keep_permitted() {
  bool masked = false;
  for (std::size_t i = plan_->steps.size(); i-- > 0;) {
    const Target& target = *plan_->steps[i].target;
    const bool masks = permits(facts(), *serving_->config, target).mask.kinds.any();
    masked = masked || masks;
    const bool may = !chat_.model.empty() || may_use(caller_, text(target.id));
    if (masks || !may) rule_out_step(*plan_, i, masks ? Why::constraint : Why::surface);
  }
  if (!plan_->steps.empty()) return success();
  if (masked) return fail(Fault::constraint_unsatisfied, "a constraint masks what this request holds, and what is passed through cannot be masked");
  return fail(Fault::forbidden_model, "this key may not use " + std::string(name_of(surface_)) + " of any target; its models must name one, such as BACKEND/MODEL", "model");
}

/// What is kept is kept in one place: where it is, or where the route says new things go.
Result<void> Exchange::keep_one_place(NameId holder) {
  const auto stands_elsewhere = [&](const Step& step) { return serving_->config->backend_of(*step.target).name != holder; };
  if (holder != NameId::none) {
    plan_->steps.erase(std::remove_if(plan_->steps.begin(), plan_->steps.end(), stands_elsewhere), plan_->steps.end());
    if (plan_->steps.empty()) {
      return fail(Fault::no_target_up, "what was asked for is kept at backend '" + std::string(text(holder)) + "', which this request may not use or which cannot be used now");
    }
  } else if (plan_->steps.size() > 1 && (plan_->rule == nullptr || plan_->rule->choose != Choose::first)) {
    std::string names;
    for (const Step& step : plan_->steps) names.append(names.empty() ? "" : ", ").append(text(step.target->id));
    return fail(Fault::bad_request, "several targets keep " + std::string(name_of(surface_)) + " (" + names + "), and nothing says which: give them a route with `choose: first`");
  }
  plan_->steps.erase(plan_->steps.begin() + 1, plan_->steps.end());
  if (holder != NameId::none) plan_->steps.front().why = Why::asked_for;
  return success();
}

}  // namespace tollgate
