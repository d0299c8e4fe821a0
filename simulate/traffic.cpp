#include "simulate/traffic.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"
#include "router/feature_vector.hpp"

namespace tollgate::simulate {
namespace {

constexpr int busy_timeout_ms = 10'000;
constexpr std::int64_t schema_min = 5;          // the first whose pools keep their hours
constexpr std::int64_t progress_every = 16'384; // rows

struct Close {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

// Without requests that the gateway made itself (shadow evaluation, judges): they are not traffic. Every table is read once, in the order of its key, and put together here.
constexpr const char* requests_sql =
    "SELECT id,arrived_us,duration_us,model,route,team,key,target,complexity_ppm,tier,surface,flags,result,attempts,input_bytes "
    "FROM request WHERE id>=?1 AND arrived_us>=?2 AND arrived_us<?3 AND (flags>>2)&3=0 AND surface<3 ";
constexpr const char* uncached_sql = "AND NOT EXISTS(SELECT 1 FROM cached WHERE cached.request=request.id) ";
constexpr const char* tries_sql =
    "SELECT request,target,result,usage_source,pool_method,pricing,started_after_us,first_token_after_us,ended_after_us,input,cached_input,"
    "cache_write,output,reasoning,cache_write_1h,input_audio,cached_input_audio,input_image,cached_input_image,output_audio,output_image,"
    "web_searches,gpu_pusd,input_pusd+cached_input_pusd+cache_write_pusd+output_pusd+request_pusd+gpu_pusd+reasoning_pusd+web_search_pusd+"
    "cache_write_1h_pusd+input_audio_pusd+cached_input_audio_pusd+input_image_pusd+cached_input_image_pusd+output_audio_pusd+"
    "output_image_pusd FROM attempt WHERE request>=?1 ORDER BY request,number";
constexpr const char* coverage_sql = "SELECT request,rules,covered FROM coverage WHERE request>=?1 ORDER BY request";
constexpr const char* facts_sql = "SELECT request,asked,facts FROM decision WHERE request>=?1 ORDER BY request";
// Feedback is worth more than a judge, a judge more than a look at the form. 0 good, 2 of the right form; all else is bad.
constexpr const char* outcomes_sql =
    "SELECT request,max(iif(source=0,iif(verdict=0,1,2),0)),max(iif(source=2,iif(verdict IN (0,2),1,2),0)),max(iif(source=1,iif(verdict=2,1,2),0)) FROM outcome WHERE request>=?1 "
    "GROUP BY request ORDER BY request";

constexpr const char* models_sql = "SELECT request,version,blob FROM features WHERE request>=?1 ORDER BY request";

class Reading {
 public:
  explicit Reading(const TrafficQuestion& question, const OnProgress& on_progress) : question_(question), on_progress_(on_progress) {}

  Result<Traffic> read() {
    TOLLGATE_TRY(open());
    TOLLGATE_TRY(read_names());
    TOLLGATE_TRY(leave_out());
    traffic_.since_us = question_.since_us;
    traffic_.until_us = question_.until_us;
    TOLLGATE_TRY(read_requests());
    TOLLGATE_TRY(read_tries());
    TOLLGATE_TRY(read_coverage());
    TOLLGATE_TRY(read_facts());
    TOLLGATE_TRY(read_outcomes());
    TOLLGATE_TRY(read_models());
    TOLLGATE_TRY(read_pools());
    TOLLGATE_TRY(read_folded());
    std::stable_sort(traffic_.requests.begin(), traffic_.requests.end(),
                     [](const RecordedRequest& a, const RecordedRequest& b) { return a.arrived_us < b.arrived_us; });
    return std::move(traffic_);
  }

 private:
  using Statement = std::unique_ptr<sqlite3_stmt, Close>;

  [[nodiscard]] Error refusal() const {
    return fail(Fault::io_failed, "the ledger " + question_.path + " cannot be read: " + (connection_ == nullptr ? "out of memory" : sqlite3_errmsg(connection_.get())));
  }

  Result<void> open() {
    if (::access(question_.path.c_str(), F_OK) != 0) {
      return fail(Fault::io_failed, "there is no ledger at " + question_.path + "; --ledger names another, or --config a configuration");
    }
    sqlite3* opened = nullptr;
    const int status = sqlite3_open_v2(question_.path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
    connection_.reset(opened);
    if (status != SQLITE_OK) return refusal();
    sqlite3_busy_timeout(opened, busy_timeout_ms);
    TOLLGATE_TRY(const std::int64_t application, number("PRAGMA application_id"));
    if (application != ledger_application_id) return fail(Fault::bad_config, question_.path + " is not a tollgate ledger");
    TOLLGATE_TRY(const std::int64_t version, number("PRAGMA user_version"));
    if (version < schema_min) return fail(Fault::bad_config, "the ledger " + question_.path + " was written by an older tollgate; serve with this one first");
    if (version > ledger_schema_version) return fail(Fault::bad_config, "the ledger " + question_.path + " was written by a newer tollgate");
    TOLLGATE_TRY(has_facts_, exists("SELECT 1 FROM sqlite_schema WHERE name='decision'"));
    TOLLGATE_TRY(has_cached_, exists("SELECT 1 FROM sqlite_schema WHERE name='cached'"));
    TOLLGATE_TRY(has_features_, exists("SELECT 1 FROM sqlite_schema WHERE name='features'"));
    TOLLGATE_TRY(has_outcomes_, exists("SELECT 1 FROM sqlite_schema WHERE name='outcome'"));
    return success();
  }

  Result<Statement> prepared(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(connection_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) return refusal();
    sqlite3_bind_int64(statement, 1, static_cast<std::int64_t>(lowest_request_id_at(question_.since_us)));
    return Statement(statement);
  }
  Result<std::int64_t> number(const char* sql) {
    TOLLGATE_TRY(const Statement statement, prepared(sql));
    if (sqlite3_step(statement.get()) != SQLITE_ROW) return refusal();
    return sqlite3_column_int64(statement.get(), 0);
  }
  Result<bool> exists(const char* sql) {
    TOLLGATE_TRY(const Statement statement, prepared(sql));
    const int code = sqlite3_step(statement.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) return refusal();
    return code == SQLITE_ROW;
  }

  template <class Row>
  Result<void> each(const Statement& statement, Row row) {
    int code = SQLITE_OK;
    for (std::int64_t done = 0; (code = sqlite3_step(statement.get())) == SQLITE_ROW;) {
      if (!row(statement.get())) return success();
      if (++done % progress_every == 0) show(done);
    }
    if (code != SQLITE_DONE) return refusal();
    return success();
  }
  void show(std::int64_t done) const {
    if (!on_progress_) return;
    const auto all = static_cast<double>(std::max<std::size_t>(traffic_.requests.size(), 1));
    on_progress_(std::min(1.0, traffic_.tries.empty() ? 0.0 : static_cast<double>(done) / all));
  }

  [[nodiscard]] std::string_view text_at(sqlite3_stmt* row, int column) const {
    const auto* const found = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
    return found == nullptr ? "" : std::string_view(found, static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
  }

  // Interned only when a row uses them: a ledger may know more names than a process has room for.
  Result<void> read_names() {
    TOLLGATE_TRY(const Statement statement, prepared("SELECT id,text FROM name"));
    return each(statement, [&](sqlite3_stmt* row) {
      texts_.emplace(sqlite3_column_int64(row, 0), std::string(text_at(row, 1)));
      return true;
    });
  }
  NameId name_at(sqlite3_stmt* row, int column) {
    const std::int64_t id = sqlite3_column_int64(row, column);
    const auto [known, is_new] = names_.try_emplace(id, NameId::none);
    if (is_new) {
      const auto found = texts_.find(id);
      if (found != texts_.end()) known->second = Names::global().intern(found->second);
    }
    return known->second;
  }
  RowResult result_at(sqlite3_stmt* row, int column) {
    const std::int64_t id = sqlite3_column_int64(row, column);
    const auto [known, is_new] = results_.try_emplace(id, RowResult::of(Fault::internal));
    if (is_new) {
      const auto found = texts_.find(id);
      const std::string_view name = found != texts_.end() ? std::string_view(found->second) : std::string_view();
      if (name == "ok") known->second = RowResult::ok();
      for (unsigned value = 0; value <= static_cast<unsigned>(Fault::io_failed); ++value) {
        if (facts_of(static_cast<Fault>(value)).name == name) known->second = RowResult::of(static_cast<Fault>(value));
      }
    }
    return known->second;
  }

  /// A sample would thin the load on the pools; the last part of the period does not.
  Result<void> leave_out() {
    if (question_.requests_max <= 0) return success();
    TOLLGATE_TRY(const Statement first, prepared("SELECT arrived_us FROM request WHERE id>=?1 AND arrived_us>=?2 AND arrived_us<?3 AND (flags>>2)&3=0 ORDER BY id DESC LIMIT 1 OFFSET ?4"));
    sqlite3_bind_int64(first.get(), 2, question_.since_us);
    sqlite3_bind_int64(first.get(), 3, question_.until_us);
    sqlite3_bind_int64(first.get(), 4, question_.requests_max - 1);
    const int code = sqlite3_step(first.get());
    if (code == SQLITE_DONE) return success();
    if (code != SQLITE_ROW) return refusal();
    const std::int64_t begins = sqlite3_column_int64(first.get(), 0);
    TOLLGATE_TRY(const Statement before, prepared("SELECT count(*) FROM request WHERE id>=?1 AND arrived_us>=?2 AND arrived_us<?3 AND (flags>>2)&3=0"));
    sqlite3_bind_int64(before.get(), 2, question_.since_us);
    sqlite3_bind_int64(before.get(), 3, begins);
    if (sqlite3_step(before.get()) != SQLITE_ROW) return refusal();
    traffic_.left_out = sqlite3_column_int64(before.get(), 0);
    question_.since_us = begins;
    return success();
  }

  Result<void> read_requests() {
    const std::string sql = std::string(requests_sql) + (has_cached_ ? uncached_sql : "") + "ORDER BY id";
    TOLLGATE_TRY(const Statement statement, prepared(sql.c_str()));
    sqlite3_bind_int64(statement.get(), 2, question_.since_us);
    sqlite3_bind_int64(statement.get(), 3, question_.until_us);
    return each(statement, [&](sqlite3_stmt* row) {
      RecordedRequest request;
      request.id = RequestId{sqlite3_column_int64(row, 0)};
      request.arrived_us = sqlite3_column_int64(row, 1);
      request.duration_us = sqlite3_column_int64(row, 2);
      request.model = name_at(row, 3);
      request.route = name_at(row, 4);
      request.team = name_at(row, 5);
      request.key = name_at(row, 6);
      request.target = name_at(row, 7);
      request.score = static_cast<float>(static_cast<double>(sqlite3_column_int64(row, 8)) / 1e6);
      request.tier = static_cast<Tier>(std::clamp<std::int64_t>(sqlite3_column_int64(row, 9), 0, tier_count - 1));
      request.surface = static_cast<Surface>(std::clamp<std::int64_t>(sqlite3_column_int64(row, 10), 0, 2));
      const std::int64_t flags = sqlite3_column_int64(row, 11);
      request.stream = (flags & 1) != 0;
      request.recovered = (flags & 2) != 0;
      request.result = result_at(row, 12);
      request.tries = static_cast<std::uint8_t>(sqlite3_column_int64(row, 13));
      request.input_bytes = static_cast<std::int32_t>(sqlite3_column_int64(row, 14));
      traffic_.requests.push_back(request);
      return true;
    });
  }

  /// The request of a row whose key rises; nullptr: it is not among those read. `at` goes on from row to row.
  RecordedRequest* request_of(std::int64_t id, std::size_t& at) {
    std::vector<RecordedRequest>& all = traffic_.requests;
    while (at < all.size() && static_cast<std::int64_t>(all[at].id) < id) ++at;
    return at < all.size() && static_cast<std::int64_t>(all[at].id) == id ? &all[at] : nullptr;
  }

  Result<void> read_tries() {
    TOLLGATE_TRY(const Statement statement, prepared(tries_sql));
    for (RecordedRequest& request : traffic_.requests) request.tries = 0;   // as many as are read
    traffic_.tries.reserve(traffic_.requests.size());
    std::size_t at = 0;
    return each(statement, [&](sqlite3_stmt* row) {
      RecordedRequest* const request = request_of(sqlite3_column_int64(row, 0), at);
      if (request == nullptr) return at < traffic_.requests.size();
      if (request->tries++ == 0) request->first_try = static_cast<std::uint32_t>(traffic_.tries.size());
      traffic_.tries.push_back(try_at(row));
      return true;
    });
  }

  RecordedTry try_at(sqlite3_stmt* row) {
    RecordedTry one;
    const auto tokens = [&](int column) { return TokenCount{sqlite3_column_int64(row, column)}; };
    one.target = name_at(row, 1);
    one.result = result_at(row, 2);
    one.usage_source = static_cast<UsageSource>(sqlite3_column_int(row, 3));
    one.pool_method = static_cast<PoolMethod>(sqlite3_column_int(row, 4));
    one.pricing = static_cast<Pricing>(sqlite3_column_int(row, 5));
    one.started_after_us = sqlite3_column_int64(row, 6);
    if (sqlite3_column_type(row, 7) != SQLITE_NULL) one.first_token_after_us = sqlite3_column_int64(row, 7);
    one.ended_after_us = sqlite3_column_int64(row, 8);
    one.usage.input = tokens(9);
    one.usage.cached_input = tokens(10);
    one.usage.cache_write = tokens(11);
    one.usage.output = tokens(12);
    one.usage.reasoning = tokens(13);
    for (std::size_t i = 0; i < rare_class_count; ++i) one.usage.rare[i] = sqlite3_column_int(row, 14 + static_cast<int>(i));
    one.usage.web_searches = sqlite3_column_int(row, 21);
    one.gpu = Usd{sqlite3_column_int64(row, 22)};
    one.charge = Usd{sqlite3_column_int64(row, 23)};
    return one;
  }

  Result<void> read_coverage() {
    TOLLGATE_TRY(const Statement statement, prepared(coverage_sql));
    std::size_t at = 0;
    return each(statement, [&](sqlite3_stmt* row) {
      if (RecordedRequest* const request = request_of(sqlite3_column_int64(row, 0), at)) {
        request->rules = name_at(row, 1);
        request->covered = static_cast<std::uint64_t>(sqlite3_column_int64(row, 2));
      }
      return at < traffic_.requests.size();
    });
  }

  Result<void> read_facts() {
    if (!has_facts_) return success();
    TOLLGATE_TRY(const Statement statement, prepared(facts_sql));
    std::size_t at = 0;
    return each(statement, [&](sqlite3_stmt* row) {
      if (RecordedRequest* const request = request_of(sqlite3_column_int64(row, 0), at)) {
        const std::string_view bytes(static_cast<const char*>(sqlite3_column_blob(row, 2)), static_cast<std::size_t>(sqlite3_column_bytes(row, 2)));
        if (const std::optional<DecisionFacts> facts = unpacked(bytes)) {
          request->facts = *facts;
          request->facts.of = request->id;
          request->facts.asked = name_at(row, 1);
          request->has_facts = request->facts.asked != NameId::none;
        }
      }
      return at < traffic_.requests.size();
    });
  }

  Result<void> read_outcomes() {
    if (!has_outcomes_) return success();
    TOLLGATE_TRY(const Statement statement, prepared(outcomes_sql));
    std::size_t at = 0;
    return each(statement, [&](sqlite3_stmt* row) {
      if (RecordedRequest* const request = request_of(sqlite3_column_int64(row, 0), at)) {
        const int said = sqlite3_column_int(row, 1), by_judge = sqlite3_column_int(row, 2), formed = sqlite3_column_int(row, 3);
        const int judged = said != 0 ? said : by_judge != 0 ? by_judge : formed;
        if (judged != 0) request->judged = judged == 1 ? Judged::good : Judged::bad;
      }
      return at < traffic_.requests.size();
    });
  }

  Result<void> read_models() {
    if (!has_features_) return success();
    TOLLGATE_TRY(const Statement statement, prepared(models_sql));
    std::size_t at = 0;
    return each(statement, [&](sqlite3_stmt* row) {
      if (request_of(sqlite3_column_int64(row, 0), at) != nullptr) {
        FeatureBlob blob;
        blob.version = static_cast<std::uint8_t>(sqlite3_column_int(row, 1));
        blob.size = static_cast<std::uint8_t>(std::min<int>(sqlite3_column_bytes(row, 2), feature_bytes_max));
        if (blob.size > 0) std::memcpy(blob.bytes.data(), sqlite3_column_blob(row, 2), blob.size);
        if (const auto model = base_model_of(blob)) ++traffic_.scored_by[*model];
      }
      return at < traffic_.requests.size();
    });
  }

  Result<void> read_pools() {
    TOLLGATE_TRY(const std::unique_ptr<LedgerReader> reader, LedgerReader::open(question_.path));
    TOLLGATE_TRY(const PoolHoursReport hours, reader->pool_hours({question_.since_us, question_.until_us, {PoolDimension::pool}}));
    for (const PoolHoursRow& row : hours.rows) traffic_.pools.push_back({row.labels.front(), row.lines});
    return success();
  }

  Result<void> read_folded() {
    constexpr std::int64_t day_us = 86'400'000'000;
    TOLLGATE_TRY(const Statement statement, prepared("SELECT coalesce(sum(d.high*4294967296+d.low),0) FROM daily d JOIN name n ON n.id=d.measure "
                                                     "WHERE n.text='requests' AND d.day>=?2 AND d.day<?3 AND ?1 IS NOT NULL"));
    sqlite3_bind_int64(statement.get(), 2, question_.since_us / day_us);
    sqlite3_bind_int64(statement.get(), 3, (question_.until_us + day_us - 1) / day_us);
    if (sqlite3_step(statement.get()) != SQLITE_ROW) return refusal();
    traffic_.folded_requests = sqlite3_column_int64(statement.get(), 0);
    return read_cached();
  }

  // No target had any work with them, and they say nothing of what one would have made of it.
  Result<void> read_cached() {
    if (!has_cached_) return success();
    TOLLGATE_TRY(const Statement statement, prepared("SELECT count(*) FROM cached c JOIN request r ON r.id=c.request WHERE r.id>=?1 AND r.arrived_us>=?2 AND r.arrived_us<?3"));
    sqlite3_bind_int64(statement.get(), 2, question_.since_us);
    sqlite3_bind_int64(statement.get(), 3, question_.until_us);
    if (sqlite3_step(statement.get()) != SQLITE_ROW) return refusal();
    traffic_.cached_requests = sqlite3_column_int64(statement.get(), 0);
    return success();
  }

  TrafficQuestion question_;
  const OnProgress& on_progress_;
  std::unique_ptr<sqlite3, Close> connection_;
  bool has_facts_ = false, has_outcomes_ = false, has_cached_ = false, has_features_ = false;
  std::unordered_map<std::int64_t, std::string> texts_;
  std::unordered_map<std::int64_t, NameId> names_;
  std::unordered_map<std::int64_t, RowResult> results_;
  Traffic traffic_;
};

}  // namespace

std::int64_t Traffic::scored_by_others(std::uint32_t model) const noexcept {
  std::int64_t others = 0;
  for (const auto& [id, count] : scored_by) others += id == model ? 0 : count;
  return others;
}

std::int64_t Traffic::began_us() const noexcept { return requests.empty() ? since_us : std::max(since_us, requests.front().arrived_us); }

std::int64_t Traffic::ended_us() const noexcept {
  std::int64_t last = began_us() + 1;
  for (const RecordedRequest& request : requests) last = std::max(last, request.arrived_us + request.duration_us);
  return requests.empty() ? until_us : last;
}

const RecordedTry* answering(const RecordedRequest& request, const RecordedTry* tries) noexcept {
  for (std::uint8_t i = request.tries; i-- > 0;) {
    if (tries[i].usage_source != UsageSource::none && !tries[i].result.is_lost_hedge()) return &tries[i];
  }
  return nullptr;
}

bool refused_for_good(const RecordedRequest& request) noexcept {
  if (request.tries > 0 || request.result.is_ok()) return false;
  switch (static_cast<Fault>(request.result.value)) {
    case Fault::constraint_unsatisfied:
    case Fault::no_target_up:
    case Fault::unsupported:
    case Fault::model_not_found:
      return false;
    default:
      return true;
  }
}

Usage without_cache(const Usage& usage) noexcept {
  Usage cold = usage;
  cold.input = usage.input + usage.cached_input + usage.cache_write + usage.of(RareClass::cache_write_1h);
  cold.cached_input = cold.cache_write = TokenCount{};
  cold.rare[static_cast<std::size_t>(RareClass::cache_write_1h)] = 0;
  const auto move = [&cold](RareClass from, RareClass to) {
    cold.rare[static_cast<std::size_t>(to)] += cold.rare[static_cast<std::size_t>(from)];
    cold.rare[static_cast<std::size_t>(from)] = 0;
  };
  move(RareClass::cached_input_audio, RareClass::input_audio);
  move(RareClass::cached_input_image, RareClass::input_image);
  return cold;
}

Result<Traffic> read_traffic(const TrafficQuestion& question, const OnProgress& on_progress) { return Reading(question, on_progress).read(); }

}  // namespace tollgate::simulate
