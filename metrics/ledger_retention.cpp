#include "metrics/ledger_retention.hpp"

#include <algorithm>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/records.hpp"

namespace tollgate {
namespace {

class Folding {
 public:
  explicit Folding(FoldPort& port)
      : port_(port),
        folding_(port.dialect().temporary() + ".folding"),
        requests_(folding_ + " f" + join() + "request r ON r.id=f.id"),
        attempts_(requests_ + join() + "attempt a ON a.request=f.id"),
        baselines_(requests_ + join() + "baseline b ON b.request=f.id"),
        cached_(requests_ + join() + "cached c ON c.request=f.id") {}

  Result<std::size_t> run(std::int64_t cutoff_us, std::size_t requests_max) {
    TOLLGATE_TRY(const std::int64_t count, choose(cutoff_us, requests_max));
    if (count == 0) return std::size_t{0};
    TOLLGATE_TRY(measure(std::string(daily_requests), requests_, "r.target", "0", one_if("((r.flags>>2)&3)=0")));  // clients'
    TOLLGATE_TRY(attempts());
    TOLLGATE_TRY(baselines());
    TOLLGATE_TRY(cached());
    const std::string folded = " IN (SELECT id FROM " + folding_ + ");";
    std::string sql;
    for (const char* table : {"cached", "decision", "features", "outcome", "coverage", "baseline", "attempt"}) {
      sql += "DELETE FROM " + std::string(table) + " WHERE request" + folded;
    }
    TOLLGATE_TRY(port_.run_fold(sql + "DELETE FROM request WHERE id" + folded));
    return static_cast<std::size_t>(count);
  }

 private:
  [[nodiscard]] std::string join() const { return port_.dialect().ordered_join(); }

  Result<std::int64_t> choose(std::int64_t cutoff_us, std::size_t requests_max) {
    // Ids run at most ahead of the clock, so none that is old enough lies past this one.
    const std::string last_id = std::to_string(static_cast<std::int64_t>(lowest_request_id_at(cutoff_us)));
    TOLLGATE_TRY(port_.run_fold("DELETE FROM " + folding_ + ";INSERT INTO " + folding_ + " SELECT id FROM request WHERE id<" +
                                last_id + " AND id<(SELECT max(id) FROM request) AND arrived_us<" +
                                std::to_string(cutoff_us) + " ORDER BY id LIMIT " + std::to_string(requests_max)));
    return port_.fold_number("SELECT count(*) FROM " + folding_);
  }

  Result<void> measure(const std::string& name, const std::string& sql_from, const std::string& target,
                       const std::string& high, const std::string& low) {
    TOLLGATE_TRY(const std::int64_t id, port_.fold_name(name));
    return port_.run_fold(
        "INSERT INTO daily(day,team,model,route,key,target,tier,result,measure,high,low) SELECT r.arrived_us/86400000000,r.team,"
        "r.model,r.route,r.key," +
        target + ",r.tier,r.result," + std::to_string(id) + ",sum(" + high + ") AS high,sum(" + low + ") AS low FROM " +
        sql_from + " WHERE true GROUP BY 1,2,3,4,5,6,7,8 HAVING sum(" + high + ")<>0 OR sum(" + low +
        ")<>0 ON CONFLICT(day,team,model,route,key,target,tier,result,measure) DO UPDATE SET "
        "high=daily.high+excluded.high,low=daily.low+excluded.low");
  }

  Result<void> attempts() {
    TOLLGATE_TRY(measure(std::string(daily_attempts), attempts_, "a.target", "0", "1"));
    for (const auto& [name, counted] : counted_attempts) {
      TOLLGATE_TRY(measure(std::string(name), attempts_, "a.target", "0", one_if(std::string(counted))));
    }
    // Every column of money, and the tokens it is charged for: a later schema may have more of them.
    TOLLGATE_TRY(const std::vector<std::string> columns, port_.attempt_columns());
    for (const std::string& column : columns) {
      const bool has_money = std::find(columns.begin(), columns.end(), column + "_pusd") != columns.end();
      if (!is_money(column) && column != "reasoning" && (!has_money || column == "request")) continue;
      TOLLGATE_TRY(measure(column, attempts_, "a.target", high_half("a." + column), low_half("a." + column)));
    }
    return success();
  }

  Result<void> baselines() {
    TOLLGATE_TRY(const std::vector<std::string> columns, port_.attempt_columns());
    TOLLGATE_TRY(const std::vector<std::string> names,
                 port_.fold_texts("SELECT text FROM name WHERE id IN (SELECT b.baseline FROM " + folding_ + " f" + join() +
                                  "baseline b ON b.request=f.id)"));
    std::string high, low;
    for (const std::string& column : columns) {
      if (!is_money(column)) continue;
      high += (high.empty() ? "" : "+") + high_half("a." + column);
      low += (low.empty() ? "" : "+") + low_half("a." + column);
    }
    const std::string known(baseline_comparable);
    const auto actual = [&](const std::string& half) {
      return value_if(known, "(SELECT coalesce(sum(" + half + "),0) FROM attempt a WHERE a.request=r.id)");
    };
    for (const std::string& name : names) {
      TOLLGATE_TRY(const std::int64_t id, port_.fold_name(name));
      const std::string from = baselines_ + " AND b.baseline=" + std::to_string(id);
      const std::string prefix = std::string(daily_baseline_prefix) + name + ":";
      const auto fold = [&](const char* what, const std::string& upper, const std::string& lower) {
        return measure(prefix + what, from, "r.target", upper, lower);
      };
      TOLLGATE_TRY(fold("compared", "0", one_if(known)));
      TOLLGATE_TRY(fold("unknown", "0", one_if("NOT (" + known + ")")));
      TOLLGATE_TRY(fold("pusd", value_if(known, high_half("b.pusd")), value_if(known, low_half("b.pusd"))));
      TOLLGATE_TRY(fold("actual_pusd", actual(high), actual(low)));
    }
    return success();
  }

  Result<void> cached() {
    for (const auto& [name, counted] : counted_cached) {
      TOLLGATE_TRY(measure(std::string(name), cached_, "c.target", "0", one_if(std::string(counted))));
    }
    const std::string saved = "coalesce(c.saved_pusd,0)";
    return measure(std::string(daily_saved), cached_, "c.target", high_half(saved), low_half(saved));
  }

  static bool is_money(const std::string& column) { return column.ends_with("_pusd"); }

  FoldPort& port_;
  const std::string folding_, requests_, attempts_, baselines_, cached_;
};

}  // namespace

Result<void> prepare_fold(FoldPort& port) {
  return port.run_fold("CREATE TABLE IF NOT EXISTS " + port.dialect().temporary() + ".folding(id BIGINT PRIMARY KEY)");
}

Result<std::size_t> fold_requests(FoldPort& port, std::int64_t cutoff_us, std::size_t requests_max) {
  return Folding(port).run(cutoff_us, requests_max);
}

}  // namespace tollgate
