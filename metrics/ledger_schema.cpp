#include "metrics/ledger_schema.hpp"

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
  surface INTEGER NOT NULL,         -- 0 chat 1 completions 2 embeddings
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

/// Picodollars as a decimal of dollars, in integers throughout.
std::string usd(const std::string& picodollars) {
  return "printf('%s%d.%012d', iif((" + picodollars + ")<0,'-',''), abs(" + picodollars + ")/1000000000000, abs(" +
         picodollars + ")%1000000000000)";
}

std::string iso_time(const std::string& microseconds) {
  return "strftime('%Y-%m-%dT%H:%M:%S'," + microseconds + "/1000000,'unixepoch')||printf('.%06dZ'," + microseconds +
         "%1000000)";
}

std::string name(const std::string& column) { return "(SELECT text FROM name WHERE name.id=" + column + ")"; }

/// A request's id as clients and logs see it (metrics/records.cpp): "req_" and 13 digits of Crockford's base 32.
std::string id_text(const std::string& id) {
  std::string sql = "'req_'";
  for (int digit = 12; digit >= 0; --digit) {
    sql += "||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',((" + id + ">>" + std::to_string(5 * digit) + ")&31)+1,1)";
  }
  return sql;
}

std::string total(const std::string& prefix) {
  std::string sql;
  for (const char* kind : {"input", "cached_input", "cache_write", "output", "request", "gpu"}) {
    sql += (sql.empty() ? "" : "+") + prefix + kind + "_pusd";
  }
  return sql;
}

std::string of_attempts(const std::string& value) {
  return "(SELECT " + value + " FROM attempt a WHERE a.request=r.id)";
}

std::string requests_view() {
  return "CREATE VIEW requests AS SELECT " + id_text("r.id") + " AS request, " + iso_time("r.arrived_us") +
         " AS arrived, " + "r.duration_us, " + name("r.model") + " AS model, " + name("r.route") + " AS route, " +
         name("r.team") + " AS team, " + name("r.key") + " AS \"key\", " + name("r.target") + " AS target, " +
         "printf('%d.%06d', r.complexity_ppm/1000000, r.complexity_ppm%1000000) AS complexity, "
         "CASE r.tier WHEN 0 THEN 'SIMPLE' WHEN 1 THEN 'MEDIUM' WHEN 2 THEN 'COMPLEX' ELSE 'REASONING' END AS tier, "
         "CASE r.surface WHEN 0 THEN 'chat' WHEN 1 THEN 'completions' ELSE 'embeddings' END AS surface, "
         "r.flags&1 AS stream, (r.flags>>1)&1 AS recovered, " +
         name("r.result") + " AS result, r.http_status, r.attempts, r.input_bytes, " +
         of_attempts("coalesce(sum(a.input+a.cached_input+a.cache_write),0)") + " AS input_tokens, " +
         of_attempts("coalesce(sum(a.output),0)") + " AS output_tokens, " +
         // A sum that lacks an unknown part is not the cost of the request: NULL, with what is known beside it.
         "CASE WHEN EXISTS(SELECT 1 FROM attempt a WHERE a.request=r.id AND a.pricing=1) THEN NULL ELSE " +
         usd(of_attempts("coalesce(sum(" + total("a.") + "),0)")) + " END AS usd, " +
         usd(of_attempts("coalesce(sum(" + total("a.") + "),0)")) + " AS usd_known, r.id FROM request r;";
}

std::string attempts_view() {
  std::string lines;
  for (const std::string kind : {"input", "cached_input", "cache_write", "output", "request", "gpu"}) {
    lines.append(", ").append(usd("a." + kind + "_pusd")).append(" AS usd_").append(kind);
  }
  return "CREATE VIEW attempts AS SELECT " + id_text("a.request") + " AS request, a.number, " + name("a.target") +
         " AS target, " + name("a.result") + " AS result, a.http_status, " +
         "CASE a.usage_source WHEN 0 THEN 'none' WHEN 1 THEN 'estimated' WHEN 2 THEN 'continuous' ELSE 'exact' END AS "
         "usage_source, CASE a.pool_method WHEN 0 THEN 'none' ELSE 'time' END AS pool_method, "
         "CASE a.pricing WHEN 0 THEN 'priced' WHEN 1 THEN 'unpriced' ELSE 'not_billed' END AS pricing, " +
         iso_time("(r.arrived_us+a.started_after_us)") +
         " AS started, a.ended_after_us-a.started_after_us AS duration_us, " +
         "a.first_token_after_us-a.started_after_us AS first_token_us, a.input, a.cached_input, a.cache_write, "
         "a.output, "
         "a.reasoning, CASE a.pricing WHEN 1 THEN NULL ELSE " +
         usd(total("a.")) + " END AS usd" + lines +
         ", a.request AS request_id FROM attempt a JOIN request r ON r.id=a.request;";
}

}  // namespace

const char* migration_from(int version) noexcept { return version == 0 ? schema_1 : nullptr; }

std::string views_script() {
  return "DROP VIEW IF EXISTS requests; DROP VIEW IF EXISTS attempts;" + requests_view() + attempts_view();
}

}  // namespace tollgate
