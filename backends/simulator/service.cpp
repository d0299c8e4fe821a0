#include "backends/simulator/service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>

#include "backends/simulator/exchange.hpp"
#include "backends/simulator/tokens.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds step_gap{
    1};  // the timer wakes no more often; events in between keep their exact times
constexpr std::size_t requests_listed = 100;
constexpr double requests_per_minute = 10'000, tokens_per_minute = 10'000'000;  // what the rate-limit headers speak of
constexpr std::string_view version = "0.1.0";

EngineLimits limits_of(const Options& options) {
  const bool openai = options.engine.personality != DialectName::vllm;
  EngineLimits limits;
  limits.slots = options.engine.slots;
  limits.prefill_tokens_per_second = options.engine.prefill_tokens_per_second * options.time_scale;
  limits.decode_tokens_per_second = options.engine.decode_tokens_per_second * options.time_scale;
  limits.decode_tokens_per_second_total = options.engine.decode_tokens_per_second_total * options.time_scale;
  limits.kv_tokens_max = options.kv_tokens_max;
  limits.prefix_cache = options.prefix_cache;
  // The managed API caches prompts from 1024 tokens, in steps of 128; vLLM in blocks of 16.
  limits.cache_block_tokens = openai ? 128 : 16;
  limits.cache_tokens_min = openai ? 1024 : 16;
  return limits;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = i < b.size() ? b[i] : '\0';
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i])) ^ static_cast<unsigned char>(other);
  }
  return difference == 0;
}

/// A model name given on a command line may be no UTF-8.
std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 3], byte, 16).ptr == &text[i + 3]) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return equals == std::string_view::npos ? std::string() : decoded(pair.substr(equals + 1));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

double unix_now() noexcept {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Service::Service(asio::io_context& context, const Options& options, FaultPlan faults)
    : context_(context),
      options_(options),
      faults_plan_(std::move(faults)),
      start_(std::chrono::steady_clock::now()),
      created_(std::time(nullptr)),
      engine_(limits_of(options)),
      timer_(context),
      buckets_at_(start_) {}

EngineTime Service::clock() const noexcept { return std::chrono::steady_clock::now() - start_; }

std::size_t Service::context_tokens() const noexcept {
  return std::min(options_.context_tokens, options_.kv_tokens_max);
}

void Service::step() {
  if (stepping_) return;
  stepping_ = true;
  stepped_to_ = clock();
  events_.clear();
  engine_.advance(stepped_to_, events_);
  for (const EngineEvent& event : events_) {
    const auto found = by_sequence_.find(event.id);
    if (found == by_sequence_.end()) continue;  // its connection was closed by an event before this one
    Exchange& exchange = *found->second;
    if (event.kind == EngineEvent::Kind::token) {
      exchange.on_token(event.id);
    } else {
      by_sequence_.erase(found);
      exchange.on_finished(event.id);
    }
  }
  flush();
  stepping_ = false;
  arm();
}

/// Sends what the touched connections have; a connection that turns out gone aborts its sequences on the way.
void Service::flush() {
  while (!touched_.empty()) {
    std::vector<std::shared_ptr<Connection>> now;
    now.swap(touched_);
    for (const auto& connection : now) connection->flush();
  }
}

void Service::flush_soon() {
  if (stepping_ || flush_posted_) return;
  flush_posted_ = true;
  asio::post(context_, [this] {
    flush_posted_ = false;
    step();
  });
}

void Service::arm() {
  if (stopped_) return;
  const std::optional<EngineTime> due = engine_.next_event();
  if (!due) {
    if (armed_) timer_.cancel();
    armed_.reset();
    return;
  }
  const EngineTime at = std::max<EngineTime>(*due, stepped_to_ + step_gap);
  if (armed_ && *armed_ <= at && *armed_ > stepped_to_) return;  // it wakes early enough, and is set again then
  armed_ = at;
  timer_.expires_at(start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(at));
  timer_.async_wait([this](const boost::system::error_code& stopped) {
    if (stopped) return;
    armed_.reset();
    step();
  });
}

SequenceId Service::submit(std::vector<Job>& jobs, Exchange& exchange) {
  const SequenceId first = next_sequence_;
  for (Job& job : jobs) {
    job.id = next_sequence_++;
    by_sequence_.emplace(job.id, &exchange);
    engine_.submit(job, stepped_to_);
  }
  if (!stepping_) arm();
  return first;
}

std::optional<SequenceTruth> Service::abort(SequenceId id) {
  by_sequence_.erase(id);
  const std::optional<SequenceTruth> truth = engine_.abort(id, stepped_to_);
  if (!stepping_) arm();  // the others are faster now
  return truth;
}

std::string Service::keep_job(HttpRequest request) {
  constexpr std::size_t jobs_max = 10'000;
  std::string id = new_id();
  if (job_order_.size() >= jobs_max) {
    jobs_.erase(job_order_.front());
    job_order_.pop_front();
  }
  job_order_.push_back(id);
  jobs_.insert_or_assign(id, std::move(request));
  return id;
}

std::optional<HttpRequest> Service::take_job(const std::string& id) {
  auto found = jobs_.extract(id);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

void Service::open(Exchange& exchange) { open_[exchange.id()] = &exchange; }

void Service::close(Exchange& exchange, Record record) {
  const auto found = open_.find(exchange.id());
  if (found != open_.end() && found->second == &exchange) open_.erase(found);
  records_.add(std::move(record));
}

void Service::stop() {
  stopped_ = true;
  timer_.cancel();
  // close() makes connections go away, and they take themselves out of the set.
  std::vector<std::shared_ptr<Connection>> connections;
  for (Connection* connection : connections_) connections.push_back(connection->shared_from_this());
  for (const auto& connection : connections) connection->close();
}

bool Service::knows_model(std::string_view model) const noexcept {
  return model == options_.model ||
         std::find(options_.more_models.begin(), options_.more_models.end(), model) != options_.more_models.end();
}

bool Service::is_authorized(const HttpRequest& request) const noexcept {
  const std::string_view scheme = options_.engine.personality == DialectName::fal ? "Key " : "Bearer ";
  return options_.api_key.empty() || equal_in_constant_time(request.authorization, std::string(scheme) + options_.api_key);
}

const FaultPlan* Service::common_fault() noexcept {
  if (!faults_plan_.any()) return nullptr;
  const double draw =
      static_cast<double>(Random(hash_text("fault", options_.engine.seed) + chances_++).below(1'000'000)) / 1e6;
  return draw < options_.faults.share ? &faults_plan_ : nullptr;
}

std::string Service::new_id() {
  Random random(hash_text("id", options_.engine.seed) + ++ids_);
  const bool openai = options_.engine.personality != DialectName::vllm;
  return fmt::format("{}{:016x}{:016x}", openai ? "req_" : "", random.next(), random.next());
}

std::string Service::rate_limit_headers(std::uint32_t tokens) {
  const auto now = std::chrono::steady_clock::now();
  const double passed = std::chrono::duration<double>(now - buckets_at_).count();
  buckets_at_ = now;
  const auto use = [passed](double& used, double per_minute, double more) {
    used = std::min(std::max(0.0, used - passed * per_minute / 60) + more, per_minute);
    return fmt::format("{}ms", static_cast<std::int64_t>(used / per_minute * 60'000));
  };
  const std::string reset_requests = use(request_bucket_, requests_per_minute, 1);
  const std::string reset_tokens = use(token_bucket_, tokens_per_minute, tokens);
  return fmt::format(
      "x-ratelimit-limit-requests: {:.0f}\r\nx-ratelimit-limit-tokens: {:.0f}\r\nx-ratelimit-remaining-requests: "
      "{:.0f}\r\n"
      "x-ratelimit-remaining-tokens: {:.0f}\r\nx-ratelimit-reset-requests: {}\r\nx-ratelimit-reset-tokens: {}\r\n",
      requests_per_minute, tokens_per_minute, requests_per_minute - request_bucket_, tokens_per_minute - token_bucket_,
      reset_requests, reset_tokens);
}

Page Service::error_page(int status, std::string message, std::string code) const {
  return {status, "application/json",
          error_body(options_.engine.personality, {status, std::move(message), "", std::move(code)})};
}

Page Service::page(const HttpRequest& request) {
  const std::string_view target = request.target;
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  const bool vllm = options_.engine.personality == DialectName::vllm;
  if (options_.engine.personality == DialectName::openai) {
    if (std::optional<Page> page = media_.page(request)) return std::move(*page);
  }
  const bool known = path == "/v1/models" || path.starts_with("/v1/models/") || path == "/health" ||
                     path == "/version" || path == "/sim/requests" ||
                     (vllm && (path == "/metrics" || path == "/ping" || path == "/load"));
  if (!known)
    return error_page(404, vllm ? "Not Found" : fmt::format("Invalid URL ({} {})", request.method, path),
                      "unknown_url");
  if (request.method != "GET" && request.method != "HEAD") return error_page(405, "Method Not Allowed: use GET", "");
  if (path.starts_with("/v1/models")) return models(path);
  if (path == "/sim/requests") return requests(query);
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", metrics()};
  if (path == "/version") return {200, "application/json", fmt::format(R"({{"version":"{}"}})", version)};
  if (path == "/load") {
    return {200, "application/json", fmt::format(R"({{"server_load":{}}})", engine_.running() + engine_.waiting())};
  }
  return {200, "application/json", ""};  // /health, /ping: an empty body says all
}

Page Service::models(std::string_view path) const {
  const bool vllm = options_.engine.personality == DialectName::vllm;
  const auto entry = [&](const std::string& id) {
    Json model{{"id", id}, {"object", "model"}, {"created", created_}, {"owned_by", vllm ? "vllm" : "openai"}};
    if (vllm) {
      model["root"] = options_.model;
      model["parent"] = nullptr;
      model["max_model_len"] = context_tokens();
      model["permission"] = Json::array();
    }
    return model;
  };
  constexpr std::string_view prefix = "/v1/models/";
  if (path.starts_with(prefix)) {
    const std::string name = decoded(path.substr(prefix.size()));
    if (!knows_model(name)) return error_page(404, "The model `" + name + "` does not exist.", "model_not_found");
    return {200, "application/json", text_of(entry(name))};
  }
  Json list = Json::array({entry(options_.model)});
  for (const std::string& name : options_.more_models) list.push_back(entry(name));
  return {200, "application/json", text_of(Json{{"object", "list"}, {"data", std::move(list)}})};
}

Page Service::requests(std::string_view query) {
  if (const auto id = parameter(query, "id")) {
    if (const auto open = open_.find(*id); open != open_.end())
      return {200, "application/json", open->second->truth_now().json()};
    if (const Record* record = records_.find(*id)) return {200, "application/json", record->json()};
    return error_page(404, "no request with this id is among those kept", "not_found");
  }
  std::size_t limit = requests_listed;
  if (const auto text = parameter(query, "limit")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (error != std::errc{} || end != text->data() + text->size())
      return error_page(400, "limit must be a whole number", "");
  }
  return {200, "application/json", records_.json_list(limit)};
}

std::string Service::metrics() {
  EngineState state;
  state.running = engine_.running();
  state.waiting = engine_.waiting();
  state.kv_tokens = engine_.kv_tokens();
  state.kv_tokens_max = options_.kv_tokens_max;
  state.cache_block_tokens = engine_.limits().cache_block_tokens;
  state.prefix_cache = options_.prefix_cache;
  state.busy_seconds = engine_.busy_seconds();
  state.gpu_seconds = engine_.gpu_seconds();
  state.clock_seconds = std::chrono::duration<double>(stepped_to_).count();
  state.requests = requests_;
  state.connections_open = connections_.size();
  state.faults = faults_;
  if (options_.metric_names != MetricNames::vllm) {
    return other_exposition(options_.metric_names, engine_.counters(), state, options_.model);
  }
  return exposition(engine_.counters(), state, options_.model);
}

}  // namespace tollgate::simulator
