#include "metrics/own_requests.hpp"

#include "metrics/ledger_postgres.hpp"

namespace tollgate {

Result<std::string> own_requests(LedgerSource& ledger, const std::string& files) {
  if (!ledger.dialect().is_postgres() || files.empty()) return std::string();
  const auto rows = ledger.query(
      "SELECT i.number,i.above,i.up_to FROM gateway_ids i JOIN gateway g ON g.id=i.gateway WHERE g.identity=?1");
  rows->bind(1, gateway_identity(files));
  std::string ids;
  for (;;) {
    TOLLGATE_TRY(const bool more, rows->next());
    if (!more) break;
    const std::string number = std::to_string(rows->number(0));
    ids.append(ids.empty() ? "" : " OR ")
        .append("(r.id>" + std::to_string(rows->number(1)) + " AND r.id<=" + std::to_string(rows->number(2)));
    // What was copied from a ledger of one gateway has no number: it is what no gateway has by its number.
    ids.append(rows->number(0) >= 0 ? " AND ((r.id>>7)&127)=" + number
                                    : " AND NOT EXISTS(SELECT 1 FROM gateway_ids o WHERE o.number=((r.id>>7)&127) AND r.id>o.above AND r.id<=o.up_to)")
        .append(")");
  }
  return " AND (" + (ids.empty() ? std::string("false") : ids) + ")";
}

}  // namespace tollgate
