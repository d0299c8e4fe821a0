#pragma once
// The configuration: typed, validated, immutable. A request keeps the snapshot it began with; a reload makes a new one.
//
//    Result<ConfigPtr> config = load_file("tollgate.yaml", process_environment());
//    Result<ConfigPtr> config = load_text(yaml, "name-for-errors", environment);
//
// Knows: YAML, prices, names. Knows nothing of: sockets, HTTP, routing decisions, the ledger.
// Threads: a Config never changes after load; share it freely.
// Every error says file, line, column, what is wrong and what would be right.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/budget_rules.hpp"
#include "config/ledger_place.hpp"
#include "config/names.hpp"
#include "config/pii_kind.hpp"
#include "config/resilience.hpp"
#include "config/result.hpp"
#include "config/secret.hpp"
#include "config/surface.hpp"
#include "config/token_prices.hpp"
#include "config/unit_prices.hpp"
#include "config/units.hpp"

namespace tollgate {

using std::chrono::milliseconds;

class Keywords;

struct ListenAddress {
  std::string host;          ///< an IP address, as written
  std::uint16_t port = 0;    ///< 0: any free port (tests); the gateway prints what it got
  bool loopback = true;
};

struct ServerConfig {
  ListenAddress listen{"127.0.0.1", 8080, true};
  unsigned reactors = 0;                             ///< 0: one per core
  std::size_t head_bytes_max = 32 * 1024;
  std::size_t body_bytes_max = 16 * 1024 * 1024;
  std::size_t nesting_max = 256;                     ///< JSON levels
  unsigned connections_max = 20000;                  ///< whole process; past it a connection is closed at once
  milliseconds head_timeout{10'000};                 ///< first byte of a request head to its end
  milliseconds body_timeout{60'000};                 ///< whole body
  milliseconds idle_timeout{75'000};                 ///< keep-alive, between requests
  milliseconds write_timeout{60'000};                ///< a client that takes nothing for so long is given up
  milliseconds keepalive_comment{15'000};            ///< silence on a stream after which an SSE comment is sent; 0: never
  milliseconds drain{30'000};                        ///< SIGTERM: how long streams may finish
};

/// A key for the admin port. Only its SHA-256 is known.
struct AdminKey {
  std::string name;
  std::array<std::uint8_t, 32> sha256;
};

struct AdminConfig {
  ListenAddress listen{"127.0.0.1", 9090, true};
};

struct LedgerConfig {
  std::string path = "tollgate.db";                  ///< from url "sqlite:PATH"; of a ledger in PostgreSQL: `files`, where its slots are
  std::string postgres;                              ///< url "postgresql://…", without a password; empty: SQLite
  std::string password_file;                         ///< holds its password and nothing else; "": none
  Secret password;                                   ///< or this is it
  milliseconds start_wait{60'000};                   ///< PostgreSQL: a start waits so long for one that does not answer
  [[nodiscard]] LedgerPlace place() const { return postgres.empty() ? LedgerPlace(path) : LedgerPlace(postgres, password_file, password); }
  milliseconds commit_interval{10};                  ///< group commit: how long a row may wait for company
  std::uint32_t open_requests_max = 16384;           ///< per reactor: requests open or not yet committed; more must wait
  unsigned keep_days = 0;                            ///< after so many days only daily sums are kept; 0: everything, for ever
  bool features = true;                              ///< keep what the classifier saw of each request: numbers, never text
};

/// How complexity is learned from the traffic (docs/routing/learning.md).
struct ComplexityConfig {
  std::string model;                                 ///< a file like router/model.json, used instead of the one in the program; "": that one
  std::size_t model_line = 0, model_column = 0;      ///< where it is named
  std::string correction;                            ///< the file `tollgate train` installs; "": scores are the base model's own
};

/// Answers are looked at for their form after the client was served (docs/routing/learning.md).
struct FormatChecksConfig {
  double share = 0;                                  ///< of served answers; 0: none
};

/// Some answers of self-hosted targets are repeated on a strong target and judged, after the client was served
/// (docs/routing/learning.md).
struct ShadowConfig {
  double share = 0;                                  ///< of their answers; 0: none, and the rest means nothing
  std::size_t target = 0, judge = 0;                 ///< indices into Config::targets
  unsigned concurrency_max = 2;                      ///< evaluations under way at once, all reactors together
  unsigned waiting_max = 64;                         ///< evaluations that wait their turn; more are left out
  std::int64_t judge_output_tokens = 1024;           ///< the judge's max_tokens: room to reason in before the score
};

/// What clients may say of their answers.
struct FeedbackConfig {
  bool comments = false;                             ///< keep the comments that come with ratings in the ledger
};

enum class LogFormat : std::uint8_t { text, json };
enum class LogLevel : std::uint8_t { debug, info, warn, error };
struct LogConfig {
  LogFormat format = LogFormat::text;
  LogLevel level = LogLevel::info;
  bool access = true;                                ///< one line per request, never prompt text
};

/// One API key. Only its SHA-256 is known.
struct ApiKey {
  NameId name;
  NameId team;
  std::array<std::uint8_t, 32> sha256;
  std::vector<std::string> models;                   ///< glob patterns of models the key may name; empty: all
};

enum class DialectName : std::uint8_t {               // config/dialects.hpp says what each is
  openai, azure_openai, anthropic, gemini, vertex, bedrock,
  together, fireworks, groq, mistral, deepseek, xai, openrouter,   // managed, OpenAI's protocol
  vllm, sglang, tensorrt_llm, tgi, llamacpp, ollama,               // engines, OpenAI's protocol
  replicate, runpod, fal                                           // serverless GPUs, jobs
};
enum class Trust : std::uint8_t { internal, external };

/// The most that `attempts_max` may be.
inline constexpr unsigned attempts_max_limit = 5;

/// Where prices that the configuration does not give come from.
struct PriceFile {
  std::string path;                                  ///< a book of `tollgate prices import`; "": the built-in one
  std::string as_of;                                 ///< the day its figures held, "2026-08-21"
  std::int64_t stale_after_days = 45;                ///< then tollgate_price_book_stale is 1
};

/// What decides what a pool is billed.
enum class Billing : std::uint8_t {
  dedicated,                                         ///< rented by the hour, all the time
  owned,                                             ///< bought: loss of value, power, room; all the time
  serverless,                                        ///< while a worker is up
  reported                                           ///< what the provider says of each call
};

/// How the provider of a serverless pool starts, stops and bills its workers.
struct ServerlessRules {
  milliseconds cold_start{0};                        ///< how long a worker boots
  bool cold_start_billed = true;
  milliseconds idle_timeout{60'000};                 ///< how long a worker without work stays up
  milliseconds min_billed{0};                        ///< of a worker's time from start to stop
  milliseconds increment{1};                         ///< that time is rounded up to a multiple of it
  std::uint32_t workers_max = 1;
  std::uint32_t requests_per_worker = 1;             ///< at once; more start another worker
  friend bool operator==(const ServerlessRules&, const ServerlessRules&) = default;
};

/// Where an answer of a `reported` pool says how long it was worked on.
struct BilledSeconds {
  std::string header;                                ///< lower case; "" if it is in the body
  std::vector<std::string> json;                     ///< path of the member: {"metrics", "predict_time"}
  bool milliseconds = false;                         ///< the number counts milliseconds instead of seconds
};

/// How the cost of busy time is shared between the requests in flight.
struct TokenWeights {
  std::int64_t prefill_per_second = 0;               ///< the engine's prompt tokens per second when it does nothing else; 0: by time
  std::int64_t decode_per_second = 0;                ///< its output tokens per second, all requests together, when it is full
  [[nodiscard]] bool calibrated() const noexcept { return prefill_per_second > 0 && decode_per_second > 0; }
};

/// Billed hardware behind a backend.
struct Pool {
  NameId name;                                       ///< the backend's name
  std::string gpu;
  std::int64_t gpus = 0;                             ///< of all replicas; serverless: of one worker
  /// Rate while billed: picodollars per hour, exact. dedicated: GPUs x hourly price; owned: (purchase - residual) / life + kW x PUE x
  /// price of a kWh + colocation x 12 / 8760; both: times replicas, + monthly operations x 12 / 8760. serverless: of one worker;
  /// reported: of a billed hour.
  /// Kept as numerator over `rate_denominator` so that nothing is rounded before it is charged.
  Int128 rate_picodollars = 0;                       ///< per rate_denominator hours
  std::int64_t rate_denominator = 1;
  Billing billing = Billing::dedicated;
  std::int64_t replicas = 1;                         ///< are in gpus and the rate already
  bool billed_while_down = true;                     ///< dedicated and owned: also while no gateway runs
  std::int64_t gateways = 1;                         ///< dedicated and owned: so many stand before it; each bills its part
  ServerlessRules serverless;
  BilledSeconds billed_seconds;                      ///< of a reported pool
  TokenWeights token_weights;
  std::int64_t saturation_tokens_per_second = 0;     ///< what it serves when it is full, prompt and answer together; 0: learned
};

/// Whether and how a backend's engine is asked what it does (its Prometheus exposition).
struct EngineConfig {
  enum class Metrics : std::uint8_t { automatic, on, off };
  Metrics metrics = Metrics::automatic;              ///< automatic: of the dialect vllm, and whatever has hardware that is billed all the time
  std::string path = "/metrics";                     ///< behind the url, without its "/v1"
  milliseconds interval{2'000};
  bool per_request_metrics = false;                  ///< ask for the engine's own timings of every request (vLLM 0.25 or later)
};

struct Timeouts {
  milliseconds connect{5'000};
  milliseconds first_byte{120'000};                  ///< request sent to response head
  milliseconds silence{60'000};                      ///< between two pieces of an answer
  milliseconds total{600'000};                       ///< all attempts of a request together
};

/// An embedded simulated engine (backends/simulator); see SimulatorOptions there for what each number does.
struct SimulatedConfig {
  DialectName personality = DialectName::vllm;
  std::uint64_t seed = 1;
  unsigned slots = 16;                               ///< requests decoded at once
  unsigned prefill_tokens_per_second = 8000;
  unsigned decode_tokens_per_second = 60;            ///< one request alone
  unsigned decode_tokens_per_second_total = 600;     ///< all slots together: the slow-down under load
  unsigned output_tokens_mean = 120;
  friend bool operator==(const SimulatedConfig&, const SimulatedConfig&) = default;
};

/// What requests to AWS are signed with.
struct AwsKeys {
  std::string region;
  Secret access_key_id, secret_access_key, session_token;   ///< the last is empty for lasting credentials
};

struct Backend {
  NameId name;
  DialectName dialect = DialectName::openai;
  std::string url;                                   ///< "http://host:port[/prefix]", "" if simulated (the gateway fills it in at start)
  std::optional<SimulatedConfig> simulated;
  Secret api_key;                                    ///< empty: none is sent
  std::vector<Secret> more_keys;                     ///< keys of the same provider beside api_key, from api_keys
  Trust trust = Trust::external;
  std::map<std::string, std::string> labels;
  std::optional<Pool> pool;
  EngineConfig engine;
  Timeouts timeouts;
  bool drop_unsupported = false;                     ///< what this dialect cannot express is left out, and said; else refused
  bool responses = false;                            ///< answers /v1/responses itself: such requests go there as they came
  bool reported_costs = false;                       ///< what its answers say they cost is what they cost (backends/reported_cost.hpp)
  std::string api_version;                           ///< azure-openai: of the dated API; "": the v1 API
  bool bearer = false;                               ///< azure-openai: api_key is an Entra token
  AwsKeys aws;                                       ///< bedrock, unless it has an api_key
  RetryRules retry;
  BreakerRules breaker;
  bool curl = false;                                 ///< true: always libcurl; else plain http goes through the native client

  /// Its engine's metrics are read: asked for, or there is hardware of one's own behind it.
  [[nodiscard]] bool is_scraped() const noexcept {
    if (engine.metrics != EngineConfig::Metrics::automatic) return engine.metrics == EngineConfig::Metrics::on;
    // Who asks a serverless worker keeps it up, and pays for it.
    if (pool && (pool->billing == Billing::serverless || pool->billing == Billing::reported)) return false;
    return dialect == DialectName::vllm || pool.has_value();
  }
};

/// `backend/model`: a place a request can go.
struct Target {
  NameId id;                                         ///< "backend/model"
  NameId model;                                      ///< "model"
  std::size_t backend = 0;                           ///< index into Config::backends
  std::string upstream;                              ///< the model name the backend knows
  std::int64_t context_tokens = 0;                   ///< 0: unknown
  std::int64_t output_tokens_max = 0;                ///< 0: unknown
  double capability = 1.0;                           ///< highest complexity it is trusted with
  bool tools = true, images = false, json_schema = true;
  std::vector<Surface> surfaces;                     ///< what it serves; default chat and completions
  unsigned concurrency_max = 0;                      ///< requests at once before it counts as saturated; 0: unknown
  std::optional<TokenPrices> prices;                 ///< absent: unpriced, unless the backend has a pool or there are unit prices
  std::optional<UnitPrices> unit_prices;             ///< of what is passed through and not billed by tokens
  /// Whether it is reached by no other endpoint than those that are passed through.
  [[nodiscard]] bool is_passed_to() const noexcept { return !surfaces.empty() && passes_through(surfaces.front()); }
  /// Whether clients name it: files and batches have no model.
  [[nodiscard]] bool has_model() const noexcept {
    for (const Surface each : surfaces) {
      if (names_model(each)) return true;
    }
    return surfaces.empty();
  }
  [[nodiscard]] bool serves(Surface surface) const noexcept {
    for (const Surface each : surfaces) {
      if (each == surface) return true;
    }
    return surfaces.empty() && (surface == Surface::chat || surface == Surface::completions);
  }
};

enum class Tier : std::uint8_t { simple, medium, complex, reasoning };
inline constexpr std::size_t tier_count = 4;
[[nodiscard]] std::string_view name_of(Tier tier) noexcept;  ///< "SIMPLE" …

/// Lower bounds of the tiers above SIMPLE, rising.
struct TierBounds {
  double medium = 0.25, complex = 0.50, reasoning = 0.75;
};

/// Hours of the week by a clock that is so far from UTC.
struct Schedule {
  std::uint8_t days = 0x7F;                          ///< bit set, bit 0 is Monday: the days on which a window begins
  std::int16_t from_minute = 0, to_minute = 1440;    ///< from <= minute of the day < to; to <= from: past midnight into the next day
  std::int16_t utc_offset_minutes = 0;
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

/// How loaded targets are: of those whose load is known, the least loaded counts. None known: it does not hold.
struct LoadCondition {
  std::vector<std::size_t> targets;                  ///< indices into Config::targets
  std::optional<double> from, below;                 ///< from <= load < below; 1 is saturated
  friend bool operator==(const LoadCondition&, const LoadCondition&) = default;
};

/// One `when:`. All that is set must hold; nothing set matches everything.
struct Condition {
  struct Header {
    std::string name;                                ///< lower case
    std::vector<std::string> any_of;                 ///< empty: the header is present; compared without case
    friend bool operator==(const Header&, const Header&) = default;
  };
  std::vector<std::string> models;                   ///< glob patterns on the requested model
  std::vector<Header> headers;
  std::vector<NameId> teams, keys;
  std::optional<std::uint8_t> tiers;                 ///< bit set of Tier
  std::optional<double> complexity_from, complexity_below;          ///< from <= score < below
  std::optional<std::int64_t> input_tokens_from, input_tokens_below;  ///< estimated
  std::optional<bool> tools, images, json_output, stream;
  PiiKinds pii;                                      ///< one of these stands in the conversation; none: not asked
  std::shared_ptr<const Keywords> keywords;          ///< one of these words stands in it; nullptr: not asked
  std::vector<std::string> users;                    ///< glob patterns on the body's `user`
  std::vector<Header> metadata;                      ///< members of the body's `metadata`; name as written, values compared without case
  std::optional<Schedule> time;
  std::optional<LoadCondition> load;                 ///< routes only: a constraint does not come and go with load
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// What a constraint does with the requests it covers.
enum class ConstraintAction : std::uint8_t {
  constrain,   ///< only targets that satisfy `require` may get them
  reject,      ///< nobody may
  mask         ///< targets that satisfy `require` get them as they are, others with what `when.pii` found replaced
};
[[nodiscard]] std::string_view name_of(ConstraintAction action) noexcept;
/// The ledger says which constraints covered a request in one word of bits.
inline constexpr std::size_t constraints_max = 64;

/// A filter that no attempt may escape: where `when` holds, only targets that satisfy `require` remain.
struct Constraint {
  NameId name;
  Condition when;
  std::optional<Trust> trust;
  std::map<std::string, std::vector<std::string>> labels;  ///< label → accepted values
  ConstraintAction action = ConstraintAction::constrain;
  bool restore = false;                              ///< mask: the answer gets the values back before the client sees it
};

/// The response cache, for all routes that use it (docs/cache.md).
inline constexpr std::size_t cache_parts = 16;       ///< an answer takes at most so small a part of it
struct CacheConfig {
  std::size_t bytes_max = std::size_t{64} * 1024 * 1024;   ///< of all answers kept, with what is kept beside them
  std::size_t answer_bytes_max = 1024 * 1024;        ///< a longer answer is not kept; at most bytes_max / cache_parts
};

/// What a route may answer from the response cache.
struct RouteCache {
  enum class Scope : std::uint8_t { team, key };
  milliseconds max_age{0};                           ///< an older answer is asked for again
  Scope scope = Scope::team;                         ///< who may get an answer that somebody else was given
  bool sampled = true;                               ///< false: only requests with temperature 0, and embeddings
};

enum class Choose : std::uint8_t { cheapest, first, fastest, weighted };
enum class CostBasis : std::uint8_t { marginal, loaded };

struct Route {
  NameId name;
  Condition when;
  Choose choose = Choose::cheapest;
  CostBasis cost_basis = CostBasis::marginal;
  std::vector<std::size_t> among;                    ///< indices into Config::targets, in the order written
  std::vector<std::uint32_t> weights;                ///< one per element of among; empty: all 1
  double min_capability = 0;                         ///< targets below are ruled out, whatever the request's complexity
  milliseconds first_token{0}, deadline{0};          ///< expected time to the first token, to the whole answer; 0: no limit
  bool sticky = false;                               ///< a conversation stays where its prompt cache makes that cheaper
  bool cascade = false;                              ///< an answer that fails its check is asked for again, of the next target
  bool autopilot = false;                            ///< follows the measured economics of its pools (router/autopilot.hpp)
  RetryOverride retry;
  OnFilter on_filter = OnFilter::refuse;
  HedgeRules hedge;
  std::optional<RouteCache> cache;                   ///< absent: every request goes to a target
  bool passed_only = false;                          ///< none of its targets answers anything but endpoints that are passed through
};

/// When a target counts as saturated: its load is the greatest of what is known of it, each as a share of its limit. At 1 requests
/// spill over to targets with room, until the load has fallen to `back_at`.
struct SpillOver {
  bool is_on = false;                                ///< false: only concurrency_max counts, and without hysteresis
  unsigned waiting_requests = 4;                     ///< in the engine's queue; 0: not looked at
  double kv_cache_share = 0.95;                      ///< of the engine's key-value cache; 0: not looked at
  double back_at = 0.8;
};

/// How routes with `autopilot` follow the measured economics; docs/autopilot.md has the formulas.
struct AutopilotRules {
  double margin = 0.2;                               ///< a pool opens at so much more than it costs, and closes at as much less
  milliseconds dwell{60'000};                        ///< between two changes of one pool
  milliseconds window{60'000};                       ///< over which arrivals and prices are averaged
  milliseconds trial{3'600'000};                     ///< between two trials of a pool whose speed is not known; 0: none is made
  friend bool operator==(const AutopilotRules&, const AutopilotRules&) = default;
};

/// Endpoints that go through as they are (docs/passthrough.md).
struct PassThroughConfig {
  std::size_t body_bytes_max = std::size_t{512} * 1024 * 1024;         ///< of one request that is a form; others: ServerConfig
  std::string spool_dir;                             ///< where bodies wait that are too large for memory; "": $TMPDIR, else /tmp
  std::size_t spool_bytes_max = std::size_t{4} * 1024 * 1024 * 1024;   ///< of all of them together
  bool objects_shared = false;                       ///< false: files and batches are known to the team that made them only
};

/// A reference that every request is also priced at: what its answer would have cost there.
struct Baseline {
  NameId name;
  std::vector<std::size_t> targets;                  ///< indices into Config::targets; of several, the cheapest for each request
};

struct Config {
  ServerConfig server;
  AdminConfig admin;
  LedgerConfig ledger;
  LogConfig log;
  PriceFile prices;
  std::vector<ApiKey> keys;
  std::vector<Backend> backends;
  std::vector<Target> targets;
  std::vector<Constraint> constraints;
  std::vector<Route> routes;
  std::vector<std::string> virtual_models;           ///< names that routes give meaning to (no glob), such as "auto"
  std::vector<Baseline> baselines;
  CacheConfig cache;
  PassThroughConfig passthrough;
  ComplexityConfig complexity;
  FormatChecksConfig format_checks;
  ShadowConfig shadow;
  FeedbackConfig feedback;
  std::vector<Budget> budgets;
  std::vector<RateLimit> limits;
  std::optional<SharedConfig> shared;                ///< absent: budgets and limits are this gateway's own
  TierBounds tiers;
  SpillOver spill_over;
  AutopilotRules autopilot;
  OutlierRules outliers;
  milliseconds sticky_ttl{300'000};                  ///< how long a conversation's prompt cache is reckoned with; 0: never
  bool hedges = false;                               ///< some route does: the times of first answers are learned
  bool knows_conversations = false;                  ///< some route is sticky: requests are told apart by conversation
  unsigned attempts_max = 3;                         ///< per request, all targets together
  bool air_gap = false;                              ///< every backend was checked to have a private address
  /// The constraints and where each backend stands, as the ledger keeps them beside what they covered (config/rules.hpp); none:
  /// there are no constraints.
  NameId rules{};
  std::string source;                                ///< path, for messages
  std::string sha256;                                ///< of the file's text, hex
  std::vector<AdminKey> admin_keys;                  ///< admin.keys; empty: everyone who reaches the port, which is on loopback

  [[nodiscard]] const Backend& backend_of(const Target& target) const { return backends[target.backend]; }
  /// "backend/model" → target, nullptr if there is none.
  [[nodiscard]] const Target* find_target(std::string_view id) const noexcept;
};
using ConfigPtr = std::shared_ptr<const Config>;

/// Looks a variable up; nullopt if it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view)>;
[[nodiscard]] Environment process_environment();

/// Reads, checks and types a file. Errors are Fault::bad_config, one finding per line of the message, each
/// "file:line:column: what is wrong; what would be right".
[[nodiscard]] Result<ConfigPtr> load_file(const std::string& path, const Environment& environment);
/// The first half of load_file.
[[nodiscard]] Result<std::string> read_config_text(const std::string& path);
/// The second half. `source` is what the messages call it.
[[nodiscard]] Result<ConfigPtr> load_text(std::string_view yaml, const std::string& source, const Environment& environment);
/// What `tollgate check` adds to load: remarks that are not errors (an unpriced target, a route that nothing reaches).
[[nodiscard]] std::vector<std::string> remarks_on(const Config& config);
/// The JSON Schema that editors and `tollgate check --schema` use; the text of config/schema.json, embedded.
[[nodiscard]] std::string_view config_schema() noexcept;

}  // namespace tollgate
