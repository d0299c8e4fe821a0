#include "backends/simulator/faults.hpp"

#include <array>
#include <charconv>

namespace tollgate::simulator {
namespace {

Error wrong(std::string_view item, std::string_view expected) {
  return fail(Fault::bad_request, "fault \"" + std::string(item) + "\": " + std::string(expected), "x-sim-fault");
}

template <class Number>
bool read_number(std::string_view text, Number& out) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

bool read_duration(std::string_view text, std::chrono::milliseconds& out) noexcept {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc{} || (unit != "ms" && unit != "s" && unit != "m")) return false;
  out = std::chrono::milliseconds(std::uint64_t{number} * (unit == "ms" ? 1 : unit == "s" ? 1000 : 60'000));
  return true;
}

template <class Number>
bool read_optional(std::string_view text, std::optional<Number>& out) noexcept {
  Number number{};
  if (!read_number(text, number)) return false;
  out = number;
  return true;
}

struct Item {
  std::string_view whole, value;
  bool has_value;
};

using Reader = bool (*)(const Item&, FaultPlan&);
struct Rule {
  std::string_view name;
  Reader read;
  std::string_view expected;
};

bool read_status(const Item& item, FaultPlan& plan) {
  return read_number(item.value, plan.status) && plan.status >= 400 && plan.status <= 599;
}
bool read_retry_after(const Item& item, FaultPlan& plan) {
  return read_optional(item.value, plan.retry_after) && *plan.retry_after >= 0;
}
bool read_delay(const Item& item, FaultPlan& plan) { return read_duration(item.value, plan.delay); }
bool read_stall(const Item& item, FaultPlan& plan) {
  plan.stall = Stall::events;
  if (item.value == "head")
    plan.stall = Stall::head;
  else if (item.value == "first-byte")
    plan.stall = Stall::first_byte;
  else
    return read_number(item.value, plan.stall_after);
  return true;
}
bool read_cut(const Item& item, FaultPlan& plan) { return read_optional(item.value, plan.cut); }
bool read_cut_bytes(const Item& item, FaultPlan& plan) { return read_optional(item.value, plan.cut_bytes); }
bool read_reset(const Item& item, FaultPlan& plan) {
  plan.reset_head = !item.has_value || item.value == "head";
  return plan.reset_head || read_optional(item.value, plan.reset);
}
bool read_error_event(const Item& item, FaultPlan& plan) { return read_optional(item.value, plan.error_event); }
bool read_garbage(const Item& item, FaultPlan& plan) { return plan.garbage = !item.has_value; }
bool read_content_type(const Item& item, FaultPlan& plan) {
  plan.content_type = item.value;
  for (const char c : item.value)
    if (c < ' ' || c > '~') return false;  // it goes into a header line
  return !item.value.empty();
}
bool read_usage(const Item& item, FaultPlan& plan) {
  plan.usage = item.value == "none" ? UsageFault::none : item.value == "wrong" ? UsageFault::wrong : UsageFault::zero;
  return item.value == "none" || item.value == "wrong" || item.value == "zero";
}
bool read_slow_drip(const Item& item, FaultPlan& plan) {
  plan.drip = std::chrono::milliseconds(10);
  return !item.has_value || (read_duration(item.value, plan.drip) && plan.drip.count() > 0);
}
bool read_close(const Item& item, FaultPlan& plan) { return plan.close_after_answer = !item.has_value; }
bool read_huge_event(const Item& item, FaultPlan& plan) {
  plan.huge_event = 1024 * 1024;
  if (!item.has_value) return true;
  return read_number(item.value, plan.huge_event) && plan.huge_event > 0 && plan.huge_event <= huge_event_max;
}

constexpr std::array rules{
    Rule{"status", read_status, "give a code from 400 to 599, as in status=503"},
    Rule{"retry-after", read_retry_after, "give whole seconds, as in retry-after=7"},
    Rule{"delay", read_delay, "give a duration in ms, s or m, as in delay=250ms"},
    Rule{"stall", read_stall, "give head, first-byte or a number of events, as in stall=3"},
    Rule{"cut", read_cut, "give a number of events, as in cut=5"},
    Rule{"cut-bytes", read_cut_bytes, "give a number of body bytes, as in cut-bytes=700"},
    Rule{"reset", read_reset, "give head or a number of events, as in reset=3"},
    Rule{"error-event", read_error_event, "give a number of events, as in error-event=3"},
    Rule{"garbage", read_garbage, "it takes no value"},
    Rule{"content-type", read_content_type, "give a type of printable ASCII, as in content-type=text/html"},
    Rule{"usage", read_usage, "give none, wrong or zero"},
    Rule{"slow-drip", read_slow_drip, "give the time between pieces, as in slow-drip=20ms, or nothing"},
    Rule{"close-after-answer", read_close, "it takes no value"},
    Rule{"huge-event", read_huge_event, "give 1 to 67108864 bytes, as in huge-event=2000000, or nothing"}};

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<void> read_item(std::string_view text, FaultPlan& plan) {
  const std::size_t equals = text.find('=');
  const bool has_value = equals != std::string_view::npos;
  const std::string_view name = trimmed(text.substr(0, equals));
  const Item item{text, has_value ? trimmed(text.substr(equals + 1)) : std::string_view{}, has_value};
  for (const Rule& rule : rules) {
    if (rule.name != name) continue;
    if (!rule.read(item, plan)) return wrong(text, rule.expected);
    return success();
  }
  std::string known;
  for (const Rule& rule : rules) known.append(known.empty() ? "" : ", ").append(rule.name);
  return wrong(text, "no such fault; there are " + known);
}

}  // namespace

Result<FaultPlan> parse_faults(std::string_view text) {
  FaultPlan plan;
  plan.text = trimmed(text);
  if (plan.text.empty()) return plan;
  for (std::string_view rest = plan.text;;) {
    const std::size_t comma = rest.find(',');
    TOLLGATE_TRY(read_item(trimmed(rest.substr(0, comma)), plan));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (plan.retry_after && plan.status == 0)
    return wrong(plan.text, "retry-after needs status, as in status=429,retry-after=7");
  return plan;
}

std::string_view fault_grammar() noexcept {
  return R"(Faults: comma separated, for all requests (--fault), for one by the header `x-sim-fault: …`, or by
`[[sim-fault: …]]` in the last user message (which passes through a gateway).
  status=CODE              answer with this error; with retry-after=SECONDS its Retry-After header
  delay=DURATION           wait before the head (250ms, 2s, 1m)
  stall=head|first-byte|N  stay silent instead of the head, after it, or after N events
  cut=N, cut-bytes=N       close the connection after N events, or N bytes of the body (in the middle of an event)
  reset[=head|N]           reset the connection (RST) instead of answering, or after N events
  error-event=N            after N events an error event, then the end without [DONE]
  garbage                  the body, or each event, is not JSON
  content-type=TYPE        say this content type
  usage=none|wrong|zero    leave usage out, or lie about it
  slow-drip[=DURATION]     16 bytes at a time, with this pause (10ms)
  close-after-answer       close although keep-alive was promised
  huge-event[=BYTES]       the first content event carries so much text (1 MiB)
An answer that is no stream has no events: with cut, stall and reset after N, half of its body is sent.
Other marks in the last user message: `[[sim-tokens: N]]` an answer of exactly N tokens, `[[sim-echo: text]]` an answer with that text,
`[[sim-usage: "cost": 0.01]]` more members for the usage of an answer in OpenAI's protocol.)";
}

}  // namespace tollgate::simulator
