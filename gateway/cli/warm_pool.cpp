// `tollgate pools warm`: asks the running gateway to wake a pool, and waits until it is up if it is told to.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "backends/percent.hpp"
#include "gateway/cli/admin_client.hpp"
#include "gateway/cli/commands.hpp"

namespace tollgate::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr double answer_seconds = 5;
constexpr std::chrono::milliseconds poll_interval{250};
constexpr std::chrono::seconds progress_interval{5};

/// The report in an answer; null: there is none, and it was said why in `code`.
Json report_in(const std::string& url, const AdminAnswer& answer, int& code) {
  Json body = Json::parse(answer.body, nullptr, false);
  if (answer.failure.empty() && answer.status / 100 == 2 && body.is_object() && body.contains("state")) return body;
  std::string why = answer.failure;
  code = io_failure;
  if (why.empty() && body.is_object() && body.contains("error") && body["error"].is_object()) {
    why = body["error"].value("message", "refused");
    code = finding;   // the gateway has answered, and says no
  } else if (why.empty()) {
    why = fmt::format("{} answered with {}, and not as a gateway's admin port does", url, answer.status);
  } else {
    why = url + ": " + why;
  }
  print_error(why);
  return {};
}

std::string sentence_of(const Json& report) {
  const std::string state = report["state"].get<std::string>();
  std::string said = fmt::format("{}: {} after {:.1f} s, {} call{}", report["target"].get<std::string>(), state, report["seconds"].get<double>(),
                                 report["calls"].get<unsigned>(), report["calls"] == 1 ? "" : "s");
  if (state != "booting") said += report["charged_usd"].is_string() ? ", charged " + report["charged_usd"].get<std::string>() + " USD" : ", charge not known";
  if (report["error"].is_string()) said += ": " + report["error"].get<std::string>();
  return said;
}

/// Asks until it has ended; what it said last.
Json wait_for_end(const std::string& url, Json report, const WarmOptions& options, int& code) {
  const Clock::time_point give_up = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.timeout_seconds));
  Clock::time_point told = Clock::now();
  while (!report.is_null() && report["state"] == "booting") {
    if (Clock::now() >= give_up) {
      print_error(fmt::format("not up within {} s; the gateway goes on: ask again, or see `tollgate pools`", options.timeout_seconds));
      code = finding;
      return report;
    }
    if (!options.json && Clock::now() - told >= progress_interval) {
      std::fprintf(stderr, "%s\n", sentence_of(report).c_str());
      told = Clock::now();
    }
    std::this_thread::sleep_for(poll_interval);
    report = report_in(url, ask_admin_port(url, answer_seconds), code);
  }
  return report;
}

}  // namespace

int warm_pool(const WarmOptions& options) {
  std::string url;
  if (const int code = find_admin_port({options.config, options.url}, url); code != ok) return code;
  url += "/admin/v1/backends/" + percent_encoded(options.backend) + "/warm";
  int code = ok;
  Json report = report_in(url, tell_admin_port(options.model.empty() ? url : url + "?model=" + percent_encoded(options.model), answer_seconds), code);
  if (options.wait) report = wait_for_end(url, std::move(report), options, code);
  if (report.is_null()) return code;
  if (options.json) {
    std::printf("%s\n", report.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::printf("%s\n", sentence_of(report).c_str());
  }
  return code == ok && report["state"] == "failed" ? finding : code;
}

}  // namespace tollgate::cli
