#pragma once
// What gateways say to the store about what they share, and what it answers. No I/O.
//
// Each gateway says of each budget's window absolute figures only: what it has spent there, what it holds, what it may use up
// to now (`have`), and up to what it would like to (`wish`). The store keeps one line per gateway; its law:
//
//    the sum of all lines' `granted` <= limit        whenever it raises one
//
// and a gateway's: spent + held <= have <= what the store has noted as granted. So spent + held of all gateways together never
// pass the limit, whatever is lost, delayed or doubled on the way: a lost report is made good by the next, a lost answer means
// that the gateway does not know of its grant and says so with the next `have`; a report that comes late is told from a newer
// one by its number. A gateway lowers `have` before it says so, and raises it only on the store's word.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/result.hpp"
#include "config/units.hpp"

namespace tollgate {

/// One gateway, one budget, one window.
struct ShareReport {
  std::string key;  ///< of the window in the store, without the prefix
  UsdSum spent, held, have, wish;
  UsdSum need;      ///< the least that is of use, beyond spent + held; 0: nobody waits
  UsdSum limit;
  bool known = false;               ///< the store has answered for this key before: it must not be missing there
  std::int64_t ttl_ms = 0;          ///< how long the store keeps the window
  std::int64_t stale_ms = 0;        ///< a line that nobody renewed for so long counts no more; 0: it counts to the window's end
  std::string remembered;           ///< other gateways' lines as last seen, for a store that has lost them
};

/// What the store says of it.
struct ShareReply {
  enum class Status : std::uint8_t {
    ok,
    grace,   ///< noted, but nothing is granted yet: the store has lost something, and others have still to report
    stale,   ///< not noted: a newer report was here before
    fenced   ///< not noted: another process bears this gateway's name
  } status = Status::ok;
  std::uint64_t number = 0;  ///< of the newest report that is noted
  UsdSum granted;
  UsdSum others_granted, others_spent, others_held;
  unsigned gateways = 1;     ///< that have a line
  bool scarce = false;       ///< somebody lately needed more than there was
  std::string lines;         ///< of the others; see ShareReport::remembered
};

/// How long the store believes in a rate limit's lease without a word from its gateway, which gives it up after half of that.
inline constexpr std::chrono::milliseconds rate_lease{10'000};

/// A rate limit's bucket or a number of places. Counts only rise and fall by what is reported, so they too are absolute.
struct RateReport {
  std::string key;
  std::int64_t used = 0, have = 0, wish = 0, need = 0;  ///< in things: requests, tokens
  std::int64_t per_minute = 0;  ///< of places: how many there are
  bool places = false;          ///< they come back when a request ends, not with time
};
struct RateReply {
  ShareReply::Status status = ShareReply::Status::ok;
  std::int64_t granted = 0;  ///< what `used` may rise to
  std::int64_t free = 0;     ///< what nobody has leased
  std::int64_t level = 0;    ///< what is in the bucket, leased or not
  unsigned gateways = 1;
};

/// Who is speaking, and to which store.
struct ShareSender {
  std::string gateway;
  std::string token;       ///< of this process
  bool is_first = true;    ///< it takes its gateway's place over; until the store has answered once
  std::uint64_t number = 0;  ///< of the report; rises with each
};

/// The store as a batch sees it.
struct ShareAnswers {
  std::string epoch;  ///< the store's life; another after it has lost everything. "": no share was reported
  std::vector<ShareReply> shares;  ///< in the order of the reports
  std::vector<RateReply> rates;
};

/// Where gateways meet. One thread; an error means that nobody knows what the store has taken in.
class ShareStore {
 public:
  virtual ~ShareStore() = default;
  [[nodiscard]] virtual Result<ShareAnswers> exchange(ShareSender& sender, const std::vector<ShareReport>& shares,
                                                      const std::vector<RateReport>& rates) = 0;
  /// What is wrong with the store although it answers; "" if nothing is.
  [[nodiscard]] virtual std::string remark() const { return {}; }
};

/// Whole picodollars as text, for the store; negative ones (which money spent never is) as 0.
[[nodiscard]] std::string picodollars_text(UsdSum sum);
[[nodiscard]] UsdSum picodollars_from(std::string_view text);

}  // namespace tollgate
