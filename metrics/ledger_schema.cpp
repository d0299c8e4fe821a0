#include "metrics/ledger_schema.hpp"

#include <iterator>

#include "metrics/charge.hpp"

namespace tollgate {
namespace {

constexpr const char* schema_1 = R"sql(
CREATE TABLE name (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
-- What the running process calls a name: its own numbers, which its slots hold. Rewritten by every run.
CREATE TABLE run_name (
  process_id INTEGER PRIMARY KEY,
  name INTEGER NOT NULL
) STRICT;
CREATE TABLE request (
  id INTEGER PRIMARY KEY,
  arrived_us INTEGER NOT NULL,      -- since 1970
  duration_us INTEGER NOT NULL,
  model INTEGER NOT NULL, route INTEGER NOT NULL, team INTEGER NOT NULL, key INTEGER NOT NULL, target INTEGER NOT NULL,
  complexity_ppm INTEGER NOT NULL,
  tier INTEGER NOT NULL,            -- 0 SIMPLE 1 MEDIUM 2 COMPLEX 3 REASONING
  surface INTEGER NOT NULL,         -- 0 chat 1 completions 2 embeddings 3 images 4 speech 5 transcriptions 6 moderations 7 files 8 batches
  flags INTEGER NOT NULL,           -- 1 stream, 2 recovered
  result INTEGER NOT NULL,          -- a name
  http_status INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  input_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE attempt (
  request INTEGER NOT NULL,
  number INTEGER NOT NULL,
  target INTEGER NOT NULL,
  result INTEGER NOT NULL,
  http_status INTEGER NOT NULL,
  usage_source INTEGER NOT NULL,    -- 0 none 1 estimated 2 continuous 3 exact
  pool_method INTEGER NOT NULL,     -- 0 none 1 time
  pricing INTEGER NOT NULL,         -- 0 priced 1 unpriced 2 not_billed
  started_after_us INTEGER NOT NULL,  -- after the request arrived; so the next two
  first_token_after_us INTEGER,
  ended_after_us INTEGER NOT NULL,
  input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL, output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  input_pusd INTEGER NOT NULL, cached_input_pusd INTEGER NOT NULL, cache_write_pusd INTEGER NOT NULL,
  output_pusd INTEGER NOT NULL, request_pusd INTEGER NOT NULL, gpu_pusd INTEGER NOT NULL,
  PRIMARY KEY (request, number)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* schema_2 = R"sql(
-- What a request would have cost at a baseline, if the baseline applies to it. NULL: not known.
CREATE TABLE baseline (
  request INTEGER NOT NULL,
  baseline INTEGER NOT NULL,        -- a name
  pusd INTEGER,
  PRIMARY KEY (request, baseline)
) STRICT, WITHOUT ROWID;
-- The baselines of the running process with the prices they had, for requests that it leaves behind if it is killed.
CREATE TABLE run_baseline (
  position INTEGER PRIMARY KEY,
  baseline INTEGER NOT NULL,        -- a name
  host BLOB NOT NULL                -- as the program that wrote it keeps it in memory
) STRICT;
-- Requests older than the ledger keeps, as sums per day. The sum is high * 2^32 + low.
CREATE TABLE daily (
  day INTEGER NOT NULL,             -- since 1970
  team INTEGER NOT NULL, model INTEGER NOT NULL, route INTEGER NOT NULL, key INTEGER NOT NULL,
  target INTEGER NOT NULL,          -- of requests and baselines: whose answer the client got; else of the attempts
  tier INTEGER NOT NULL, result INTEGER NOT NULL,
  measure INTEGER NOT NULL,         -- a name: requests, attempts, unpriced, a column of attempt, baseline:NAME:…
  high INTEGER NOT NULL, low INTEGER NOT NULL,
  PRIMARY KEY (day, team, model, route, key, target, tier, result, measure)
) STRICT, WITHOUT ROWID;
)sql";

// Classes of tokens that most requests have none of. Most rows hold 0 in all of them, which takes a byte each.
constexpr const char* schema_3 = R"sql(
ALTER TABLE attempt ADD COLUMN service_tier INTEGER NOT NULL DEFAULT 0;   -- a name; 0: the answer did not say
ALTER TABLE attempt ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN cache_write_1h INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN input_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN cached_input_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN input_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN cached_input_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN output_audio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN output_image INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN reasoning_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN web_search_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN cache_write_1h_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN input_audio_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN cached_input_audio_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN input_image_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN cached_input_image_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN output_audio_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN output_image_pusd INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr const char* schema_4 = R"sql(
-- Which constraints covered a request: one row per request that was decided while there were constraints.
CREATE TABLE coverage (
  request INTEGER PRIMARY KEY,
  rules INTEGER NOT NULL,           -- a name: the constraints and where each backend stood, as JSON
  covered INTEGER NOT NULL,         -- bit i: constraint i of those covered it
  masked INTEGER NOT NULL           -- bit i: attempt i + 1 was sent masked text
) STRICT;
)sql";

constexpr const char* schema_5 = R"sql(
-- attempt.pool_method may now be 2 tokens or 3 reported, too.
-- What a pool was billed in an hour and for what; the lines sum to billed. More is added while the hour lasts.
CREATE TABLE pool_hour (
  pool INTEGER NOT NULL,            -- a name
  hour INTEGER NOT NULL,            -- since 1970
  billed_pusd INTEGER NOT NULL, attributed_pusd INTEGER NOT NULL, idle_pusd INTEGER NOT NULL,
  cold_start_pusd INTEGER NOT NULL, minimum_pusd INTEGER NOT NULL, down_pusd INTEGER NOT NULL,
  rounding_pusd INTEGER NOT NULL,
  busy_gpu_us INTEGER NOT NULL, idle_gpu_us INTEGER NOT NULL, cold_start_gpu_us INTEGER NOT NULL,
  minimum_gpu_us INTEGER NOT NULL, down_gpu_us INTEGER NOT NULL,
  PRIMARY KEY (pool, hour)
) STRICT, WITHOUT ROWID;
-- Up to when each pool is recorded, and by which take of which run of the gateway.
CREATE TABLE pool_clock (
  pool INTEGER PRIMARY KEY,         -- a name
  run INTEGER NOT NULL, take INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,           -- since 1970
  tail_ns INTEGER NOT NULL,         -- worker time that is still to be billed if no request comes any more
  billed INTEGER NOT NULL           -- 0: the pool had left the configuration
) STRICT;
)sql";

constexpr const char* schema_6 = R"sql(
-- Bits 2 and 3 of request.flags may now say that it was made by the gateway itself: 1 shadow 2 judge 3 warm-up.
-- What routing saw of a request, never its text.
CREATE TABLE features (
  request INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,         -- of the blob
  flags INTEGER NOT NULL,           -- 1 tools, 2 images, 4 JSON asked for, 8 with a schema
  input_tokens INTEGER NOT NULL,    -- as estimated when it was decided
  output_tokens_max INTEGER,
  blob BLOB NOT NULL                -- the classifier's features (router/feature_vector.hpp)
) STRICT;
-- What became known of an answer after it was given.
CREATE TABLE outcome (
  request INTEGER NOT NULL,
  source INTEGER NOT NULL,          -- 0 feedback 1 format 2 judge
  verdict INTEGER NOT NULL,         -- 0 good 1 bad 2 ok 3 empty 4 refusal 5 truncated 6 garbage
                                    -- 7 invalid_json 8 schema
  score_ppm INTEGER,
  at_us INTEGER NOT NULL,
  comment TEXT,                     -- of whoever rated it, if such are kept
  PRIMARY KEY (request, source)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* schema_7 = R"sql(
-- What routing saw of a request beside what its row says, so that it can be decided again by other rules; never text.
CREATE TABLE decision (
  request INTEGER PRIMARY KEY,
  asked INTEGER NOT NULL,           -- a name: the questions that the facts answer, and the targets they speak of, as JSON
  facts BLOB NOT NULL               -- metrics/decision_facts.hpp
) STRICT;
)sql";

constexpr const char* schema_8 = "";   // reserved for hedged attempts

constexpr const char* schema_9 = R"sql(
-- Requests that the response cache answered: they have no attempt, and cost nothing.
CREATE TABLE cached (
  request INTEGER PRIMARY KEY,
  target INTEGER NOT NULL,          -- a name: whose answer it was
  origin INTEGER NOT NULL,          -- the request it was made for; may be folded by now
  saved_pusd INTEGER,               -- what the attempt was charged that made it; NULL: not known
  masked INTEGER NOT NULL           -- 1: the target was sent masked text
) STRICT;
)sql";

/// The kinds of charges, as their columns are named.
constexpr const char* charge_kinds[] = {"input",       "cached_input",       "cache_write", "output",
                                        "request",     "gpu",                "reasoning",   "web_search",
                                        "cache_write_1h", "input_audio",     "cached_input_audio", "input_image",
                                        "cached_input_image", "output_audio", "output_image"};
static_assert(std::size(charge_kinds) == charge_kind_count);

std::string name(const std::string& column) { return "(SELECT text FROM name WHERE name.id=" + column + ")"; }

/// A request's id as clients and logs see it (metrics/records.cpp): "req_" and 13 digits of Crockford's base 32.
std::string id_text(const std::string& id) {
  std::string sql = "'req_'";
  for (int digit = 12; digit >= 0; --digit) {
    sql += "||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',CAST(((" + id + ">>" + std::to_string(5 * digit) + ")&31)+1 AS INTEGER),1)";
  }
  return sql;
}

std::string total(const std::string& prefix) {
  std::string sql;
  for (const char* kind : charge_kinds) {
    sql += (sql.empty() ? "" : "+") + prefix + kind + "_pusd";
  }
  return sql;
}

std::string of_attempts(const std::string& value) {
  return "(SELECT " + value + " FROM attempt a WHERE a.request=r.id)";
}

std::string surface_cases() {
  std::string cases;
  for (std::size_t i = 0; i < surface_count; ++i) cases += "WHEN " + std::to_string(i) + " THEN '" + std::string(surface_names[i]) + "' ";
  return cases;
}

std::string requests_view(const SqlDialect& sql) {
  return "CREATE VIEW requests AS SELECT " + id_text("r.id") + " AS request, " + sql.iso_time("r.arrived_us") +
         " AS arrived, " + "r.duration_us, " + name("r.model") + " AS model, " + name("r.route") + " AS route, " +
         name("r.team") + " AS team, " + name("r.key") + " AS \"key\", " + name("r.target") + " AS target, " +
         sql.millionths("r.complexity_ppm") + " AS complexity, "
         "CASE r.tier WHEN 0 THEN 'SIMPLE' WHEN 1 THEN 'MEDIUM' WHEN 2 THEN 'COMPLEX' ELSE 'REASONING' END AS tier, "
         "CASE r.surface " + surface_cases() + "END AS surface, "
         "r.flags&1 AS stream, (r.flags>>1)&1 AS recovered, "
         "CASE (r.flags>>2)&3 WHEN 1 THEN 'shadow' WHEN 2 THEN 'judge' WHEN 3 THEN 'warm-up' ELSE 'client' END AS purpose, " +
         name("r.result") + " AS result, r.http_status, r.attempts, r.input_bytes, " +
         of_attempts("coalesce(sum(a.input+a.cached_input+a.cache_write+a.cache_write_1h+a.input_audio+a.cached_input_audio+"
                     "a.input_image+a.cached_input_image),0)") + " AS input_tokens, " +
         of_attempts("coalesce(sum(a.output+a.output_audio+a.output_image),0)") + " AS output_tokens, " +
         // A sum that lacks an unknown part is not the cost of the request: NULL, with what is known beside it.
         "CASE WHEN EXISTS(SELECT 1 FROM attempt a WHERE a.request=r.id AND a.pricing=1) THEN NULL ELSE " +
         sql.usd(of_attempts("coalesce(sum(" + total("a.") + "),0)")) + " END AS usd, " +
         sql.usd(of_attempts("coalesce(sum(" + total("a.") + "),0)")) + " AS usd_known, "
         "(SELECT n.text FROM cached c JOIN name n ON n.id=c.target WHERE c.request=r.id) AS cached_from, " +
         "(SELECT CASE WHEN c.saved_pusd IS NULL THEN NULL ELSE " + sql.usd("c.saved_pusd") +
         " END FROM cached c WHERE c.request=r.id) AS usd_saved, r.id FROM request r;";
}

std::string attempts_view(const SqlDialect& sql) {
  std::string lines;
  for (const std::string kind : charge_kinds) {
    lines.append(", ").append(sql.usd("a." + kind + "_pusd")).append(" AS usd_").append(kind);
  }
  return "CREATE VIEW attempts AS SELECT " + id_text("a.request") + " AS request, a.number, " + name("a.target") +
         " AS target, " + name("a.result") + " AS result, a.http_status, " +
         "CASE a.usage_source WHEN 0 THEN 'none' WHEN 1 THEN 'estimated' WHEN 2 THEN 'continuous' ELSE 'exact' END AS "
         "usage_source, CASE a.pool_method WHEN 0 THEN 'none' WHEN 1 THEN 'time' WHEN 2 THEN 'tokens' ELSE 'reported' END AS "
         "pool_method, "
         "CASE a.pricing WHEN 0 THEN 'priced' WHEN 1 THEN 'unpriced' ELSE 'not_billed' END AS pricing, " +
         sql.iso_time("(r.arrived_us+a.started_after_us)") +
         " AS started, a.ended_after_us-a.started_after_us AS duration_us, " +
         "a.first_token_after_us-a.started_after_us AS first_token_us, a.input, a.cached_input, a.cache_write, "
         "a.output, a.reasoning, a.cache_write_1h, a.input_audio, a.cached_input_audio, a.input_image, "
         "a.cached_input_image, a.output_audio, a.output_image, a.web_searches, CASE a.service_tier WHEN 0 THEN NULL ELSE " +
         name("a.service_tier") +
         " END AS service_tier, CASE a.pricing WHEN 1 THEN NULL ELSE " +
         sql.usd(total("a.")) + " END AS usd" + lines +
         ", a.request AS request_id FROM attempt a JOIN request r ON r.id=a.request;";
}

std::string baselines_view(const SqlDialect& sql) {
  return "CREATE VIEW baselines AS SELECT " + id_text("b.request") + " AS request, " + name("b.baseline") +
         " AS baseline, CASE WHEN b.pusd IS NULL THEN NULL ELSE " + sql.usd("b.pusd") +
         " END AS usd, b.request AS request_id FROM baseline b;";
}

std::string daily_view(const SqlDialect& sql) {
  return "CREATE VIEW daily_sums AS SELECT " + sql.date("d.day") + " AS day, " + name("d.team") + " AS team, " +
         name("d.model") + " AS model, " + name("d.route") + " AS route, " + name("d.key") + " AS \"key\", " +
         name("d.target") + " AS target, d.tier, " + name("d.result") + " AS result, " + name("d.measure") +
         " AS measure, " + sql.wide("d.high") + "*4294967296+d.low AS sum FROM daily d;";
}

std::string pool_hours_view(const SqlDialect& sql) {
  std::string columns;
  for (const std::string line : {"billed", "attributed", "idle", "cold_start", "minimum", "down", "rounding"}) {
    columns.append(", ").append(sql.usd("p." + line + "_pusd")).append(" AS usd_").append(line);
  }
  for (const std::string state : {"busy", "idle", "cold_start", "minimum", "down"}) {
    const std::string us = "p." + state + "_gpu_us";
    columns.append(", ").append(sql.millionths(us)).append(" AS gpu_seconds_").append(state);
  }
  return "CREATE VIEW pool_hours AS SELECT " + name("p.pool") +
         " AS pool, " + sql.hour("p.hour") + " AS hour" + columns + " FROM pool_hour p;";
}

std::string outcomes_view(const SqlDialect& sql) {
  return "CREATE VIEW outcomes AS SELECT " + id_text("o.request") +
         " AS request, CASE o.source WHEN 0 THEN 'feedback' WHEN 1 THEN 'format' ELSE 'judge' END AS source, "
         "CASE o.verdict WHEN 0 THEN 'good' WHEN 1 THEN 'bad' WHEN 2 THEN 'ok' WHEN 3 THEN 'empty' WHEN 4 THEN "
         "'refusal' WHEN 5 THEN 'truncated' WHEN 6 THEN 'garbage' WHEN 7 THEN 'invalid_json' ELSE 'schema' END AS verdict, "
         "CASE WHEN o.score_ppm IS NULL THEN NULL ELSE " +
         sql.millionths("o.score_ppm") + " END AS score, " +
         sql.iso_time("o.at_us") + " AS at, o.comment, o.request AS request_id FROM outcome o;";
}

std::string facts_view() {
  return "CREATE VIEW request_facts AS SELECT " + id_text("f.request") +
         " AS request, f.version AS features_version, length(f.blob) AS features_bytes, f.flags&1 AS tools, (f.flags>>1)&1 "
         "AS images, (f.flags>>2)&1 AS json, (f.flags>>3)&1 AS json_schema, f.input_tokens, f.output_tokens_max, "
         "f.request AS request_id FROM features f;";
}

}  // namespace

const char* migration_from(int version) noexcept {
  static constexpr const char* scripts[] = {schema_1, schema_2, schema_3, schema_4, schema_5, schema_6, schema_7, schema_8, schema_9};
  static_assert(std::size(scripts) == ledger_schema_version);
  return version >= 0 && version < ledger_schema_version ? scripts[version] : nullptr;
}

std::string views_script(const SqlDialect& sql) {
  return "DROP VIEW IF EXISTS requests; DROP VIEW IF EXISTS attempts; DROP VIEW IF EXISTS baselines; "
         "DROP VIEW IF EXISTS daily_sums; DROP VIEW IF EXISTS pool_hours; DROP VIEW IF EXISTS outcomes; DROP VIEW IF EXISTS request_facts;" +
         requests_view(sql) + attempts_view(sql) + baselines_view(sql) + daily_view(sql) + pool_hours_view(sql) +
         outcomes_view(sql) + facts_view();
}

}  // namespace tollgate
