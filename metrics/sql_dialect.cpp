#include "metrics/sql_dialect.hpp"

namespace tollgate {

std::string one_if(const std::string& condition) { return value_if(condition, "1"); }
std::string value_if(const std::string& condition, const std::string& value) {
  return "CASE WHEN " + condition + " THEN " + value + " ELSE 0 END";
}

std::string SqlDialect::usd(const std::string& picodollars) const {
  if (!postgres_) {
    return "printf('%s%d.%012d', iif((" + picodollars + ")<0,'-',''), abs(" + picodollars + ")/1000000000000, abs(" +
           picodollars + ")%1000000000000)";
  }
  const std::string size = "abs((" + picodollars + ")::numeric)";
  return "(CASE WHEN (" + picodollars + ")<0 THEN '-' ELSE '' END||div(" + size + ",1000000000000)::text||'.'||lpad((" + size +
         "%1000000000000)::text,12,'0'))";
}

std::string SqlDialect::millionths(const std::string& integer) const {
  if (!postgres_) return "printf('%d.%06d', " + integer + "/1000000, " + integer + "%1000000)";
  return "((" + integer + "/1000000)::text||'.'||lpad((" + integer + "%1000000)::text,6,'0'))";
}

std::string SqlDialect::iso_time(const std::string& microseconds) const {
  if (!postgres_) {
    return "strftime('%Y-%m-%dT%H:%M:%S'," + microseconds + "/1000000,'unixepoch')||printf('.%06dZ'," + microseconds +
           "%1000000)";
  }
  return "(to_char(timestamp 'epoch'+(" + microseconds + "/1000000)*interval '1 second','YYYY-MM-DD\"T\"HH24:MI:SS')||'.'||lpad((" +
         microseconds + "%1000000)::text,6,'0')||'Z')";
}

std::string SqlDialect::date(const std::string& day) const {
  if (!postgres_) return "date(" + day + "*86400,'unixepoch')";
  return "to_char(timestamp 'epoch'+" + day + "*interval '1 day','YYYY-MM-DD')";
}

std::string SqlDialect::hour(const std::string& hour) const {
  if (!postgres_) return "strftime('%Y-%m-%dT%H:00Z', " + hour + "*3600, 'unixepoch')";
  return "to_char(timestamp 'epoch'+" + hour + "*interval '1 hour','YYYY-MM-DD\"T\"HH24:00\"Z\"')";
}

}  // namespace tollgate
