#include "gateway/admin/what_if.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "config/as_written.hpp"
#include "gateway/admin/client_watch.hpp"
#include "gateway/admin/counted.hpp"
#include "gateway/admin/tool_ledger.hpp"
#include "gateway/admin/tool_run.hpp"
#include "gateway/gateway.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;

constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::chrono::seconds simulate_max{300}, check_max{30}, heartbeat{10};
constexpr int check_niceness = 5;   // some 40 ms of work: at the lowest priority a machine that is fully busy would stretch it to half a minute
constexpr std::size_t told_bytes_max = 2000;           // of what a process said that failed
constexpr std::size_t option_bytes_max = 64, add_pools_max = 16;
constexpr std::string_view in_force_name = "the configuration in force", edited_name = "the edited configuration";

std::string text_of(const Json& json, int indent = -1) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

/// "/dev/fd/3:12:5: what is wrong" → its line, column and message; of other lines the message alone.
Json findings_of(const std::string& text) {
  Json all = Json::array();
  std::istringstream lines(text);
  const std::string prefix = ToolRun::text_path(0) + ":";
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(prefix);
    if (at == std::string::npos) continue;
    std::string_view rest = std::string_view(line).substr(at + prefix.size());
    int place[2] = {0, 0};
    for (int& number : place) {
      const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
      if (failed != std::errc{} || end == rest.data() + rest.size() || *end != ':') break;
      rest.remove_prefix(static_cast<std::size_t>(end + 1 - rest.data()));
    }
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    all.push_back({{"line", place[0] > 0 ? Json(place[0]) : Json()}, {"column", place[1] > 0 ? Json(place[1]) : Json()}, {"message", rest}});
  }
  return all;
}

AdminReply refused(int status, std::string code, std::string message, Json findings = Json::array()) {
  Error error = fail(status >= 500 ? Fault::internal : Fault::bad_request, std::move(message));
  error.code = std::move(code);
  Json body = Json::parse(error_body(error));
  if (!findings.empty()) body["error"]["findings"] = std::move(findings);
  return {status, "application/json", text_of(body) + "\n", {}};
}

AdminReply invalid(Json findings) {
  const std::size_t count = findings.size();
  std::string message = "the configuration is not valid";
  if (count > 0) {
    const Json& first = findings.front();
    message += ": " + (first["line"].is_null() ? std::string() : "line " + std::to_string(first["line"].get<int>()) + ": ") + first["message"].get<std::string>();
    if (count > 1) message += " (and " + std::to_string(count - 1) + " more)";
  }
  return refused(400, "invalid_config", std::move(message), std::move(findings));
}

struct Asked {
  std::string config;
  std::vector<std::string> arguments;     ///< of simulate, as given
};

/// One line of at most option_bytes_max.
std::optional<std::string> option_of(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.is_number() ? text_of(value) : std::string();
  const bool plain = !text.empty() && text.size() <= option_bytes_max && std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  return plain ? std::optional(std::move(text)) : std::nullopt;
}

Result<void> read_option(const std::string& name, const Json& value, Asked& into) {
  if (name == "add_pool") {
    if (!value.is_array() || value.size() > add_pools_max) return fail(Fault::bad_request, "add_pool is a list such as [\"home\", \"home=2\"]", name);
    for (const Json& each : value) {
      const std::optional<std::string> pool = option_of(each);
      if (!pool) return fail(Fault::bad_request, "add_pool is a list such as [\"home\", \"home=2\"]", name);
      into.arguments.push_back("--add-pool=" + *pool);
    }
    return success();
  }
  const std::optional<std::string> text = option_of(value);
  if (!text) return fail(Fault::bad_request, name + " is a short text or a number, as `tollgate simulate` takes it", name);
  into.arguments.push_back("--" + name + "=" + *text);
  return success();
}

Result<Asked> read_asked(const AdminRequest& request, bool simulates) {
  // A form of another site cannot send this type without asking first, and it is not answered.
  if (!request.content_type.starts_with("application/json")) return fail(Fault::bad_request, "send JSON, with 'content-type: application/json'");
  const Json body = Json::parse(request.body, nullptr, false);
  const auto config = body.is_object() ? body.find("config") : body.end();
  if (!body.is_object() || config == body.end() || !config->is_string()) {
    return fail(Fault::bad_request, "the body must be a JSON object with the configuration's text: {\"config\": \"version: 1\\n…\"}", "config");
  }
  Asked asked{config->get<std::string>(), {}};
  bool since = false;
  for (const auto& [name, value] : body.items()) {
    if (name == "config") continue;
    const bool known = simulates && (name == "since" || name == "until" || name == "scale" || name == "seed" || name == "add_pool");
    if (!known) return fail(Fault::bad_request, std::string("the body takes ") + (simulates ? "config, since, until, scale, seed and add_pool" : "config") + " only", name.substr(0, option_bytes_max));
    TOLLGATE_TRY(read_option(name, value, asked));
    since = since || name == "since";
  }
  if (simulates && !since) asked.arguments.emplace_back("--since=24h");
  return asked;
}

/// Of files that the configuration in force does not name; what `check` says of it otherwise is not asked then.
Json foreign(const std::string& edited, const AsWritten& in_force) {
  Json all = Json::array();
  for (const ForeignFile& file : foreign_files(edited, in_force)) {
    all.push_back({{"line", file.place.line}, {"column", file.place.column},
                   {"message", "'" + file.path + "' is not named by the configuration in force, and no other file is read from here; try it with `tollgate simulate`"}});
  }
  return all;
}

/// The last lines of what a process said, without its name for the text.
std::string tail_of(std::string text) {
  for (const auto& [from, to] : {std::pair{ToolRun::text_path(0), edited_name}, std::pair{ToolRun::text_path(1), in_force_name}}) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from)) text.replace(at, from.size(), to);
  }
  if (text.size() > told_bytes_max) text.erase(0, text.size() - told_bytes_max);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::string_view own_name = "tollgate: ";
  return text.starts_with(own_name) ? text.substr(own_name.size()) : text;
}

AdminReply report_of(const ToolResult& result) {
  if (result.end == ToolResult::End::too_slow) {
    return refused(503, "too_slow", "the simulation was given up after " + std::to_string(simulate_max.count()) + " s: it runs only in time that serving leaves over; take a shorter period");
  }
  if (result.end != ToolResult::End::exited || result.exit_code < 0) {
    return refused(503, "ended", "the simulation ended before it was done, perhaps for want of memory; take a shorter period. " + tail_of(result.output));
  }
  if (result.exit_code == 0) {
    Json report = Json::parse(result.output, nullptr, false);
    if (!report.is_object()) return refused(500, "ended", "the simulation said something unexpected: " + tail_of(result.output));
    if (report["before"] != "ledger") report["before"] = in_force_name;
    report["after"] = edited_name;
    return {200, "application/json", text_of(report, 2) + "\n", {}};
  }
  if (Json findings = findings_of(result.output); !findings.empty()) return invalid(std::move(findings));
  if (result.output.find("holds no requests") != std::string::npos) return refused(404, "no_requests", tail_of(result.output));
  return refused(result.exit_code == 2 ? 400 : 500, result.exit_code == 2 ? "wrong_option" : "ended", tail_of(result.output));
}

/// What goes on between the process and the client who waits for it.
struct Under {
  Under(const Executor& executor, std::unique_ptr<ToolRun> started) : run(std::move(started)), changed(executor) {}
  const std::unique_ptr<ToolRun> run;
  Timer changed;
  std::string progress;
  std::optional<ToolResult> result;
};

Task<void> run_to_end(std::shared_ptr<Under> under) {
  OnToolProgress note = [&under = *under](std::string line) {
    under.progress = std::move(line);
    under.changed.cancel();
  };
  ToolResult result = co_await under->run->finish(std::move(note));
  under->result = std::move(result);
  under->changed.cancel();
}

std::string event(std::string_view name, const std::string& data) { return "event: " + std::string(name) + "\ndata: " + data + "\n\n"; }

/// True: the client is there and has been told of all progress.
Task<bool> wait_for(std::shared_ptr<Under> under, AdminStream& stream, bool streams) {
  const ClientWatch watch(stream, [under] { under->run->kill(); });
  std::string text;
  if (streams) text = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n" + std::string(admin_headers()) + "\r\n";
  while (!watch.gone()) {
    if (!under->progress.empty()) text += event("progress", std::exchange(under->progress, {}));
    if (streams && !text.empty()) {
      const bool taken = co_await write_all(stream, std::exchange(text, {}));
      if (!taken) {
        under->run->kill();
        co_return false;
      }
    }
    text.clear();
    if (under->result) co_return true;
    if (!under->progress.empty()) continue;
    under->changed.expires_after(heartbeat);
    auto [woken] = co_await under->changed.async_wait(as_result);
    if (!woken && streams) text = ": still at it\n\n";
  }
  co_return false;
}

Result<ToolJob> simulation_of(const Config& config, const AsWritten& written, const Asked& asked) {
  ToolJob job;
  job.arguments = {"simulate", "--json", "--progress", "--config", ToolRun::text_path(0), "--requests-max", std::to_string(WhatIf::requests_max)};
  job.arguments.insert(job.arguments.end(), asked.arguments.begin(), asked.arguments.end());
  const std::string& in_force = written.text;
  job.texts = {asked.config};
  if (!in_force.empty()) {
    job.arguments.insert(job.arguments.end(), {"--against", ToolRun::text_path(1)});
    job.texts.push_back(in_force);
  }
  job.environment = environment_for(asked.config + "\n" + in_force, written);
  job.time_max = simulate_max;
  TOLLGATE_TRY(read_ledger(config.ledger, job));
  return job;
}

}  // namespace

AdminReply written_config(Gateway& gateway) {
  const Config& config = *gateway.config();
  const std::string& text = gateway.as_written()->text;
  const Json body{{"source", config.source}, {"sha256", config.sha256}, {"text", text.empty() ? Json() : Json(text)},
                  {"why_not", text.empty() ? Json("a secret stands in it in a way that cannot be taken out, or the file was changed since; put secrets into variables and load it again") : Json()}};
  return {200, "application/json", text_of(body) + "\n", {}};
}

Task<AdminReply> WhatIf::answer_check(Gateway& gateway, const AdminRequest& request) {
  const Result<Asked> asked = read_asked(request, false);
  if (!asked) co_return refused(400, "", asked.error().message);
  const auto written = gateway.as_written();
  Json findings = foreign(asked.value().config, *written);
  Json remarks = Json::array();
  if (findings.empty()) {
    ToolJob job;
    job.arguments = {"check", "--json", ToolRun::text_path(0)};
    job.environment = environment_for(asked.value().config, *written);
    job.texts = {asked.value().config};
    job.time_max = check_max;
    job.niceness = check_niceness;
    Result<std::unique_ptr<ToolRun>> run = ToolRun::start(gateway.control_executor(), job);
    if (!run) co_return refused(503, "", run.error().message);
    OnToolProgress none;
    const ToolResult result = co_await run.value()->finish(std::move(none));
    const Json said = Json::parse(result.output, nullptr, false);
    if (result.end != ToolResult::End::exited || !said.is_object()) co_return refused(503, "ended", "the check ended before it was done. " + tail_of(result.output));
    std::string errors;
    for (const Json& each : said["errors"]) errors += each.get<std::string>() + "\n";
    findings = findings_of(errors);
    remarks = said["remarks"];
  }
  const Json body{{"valid", findings.empty()}, {"errors", findings}, {"remarks", remarks}};
  co_return AdminReply{200, "application/json", text_of(body) + "\n", {}};
}

Task<bool> WhatIf::answer_simulate(AdminStream& stream, Gateway& gateway, const AdminRequest& request, AdminReply& reply) {
  const Result<Asked> asked = read_asked(request, true);
  if (!asked) {
    reply = refused(400, "", asked.error().message);
    co_return false;
  }
  const auto written = gateway.as_written();
  if (Json findings = foreign(asked.value().config, *written); !findings.empty()) {
    reply = invalid(std::move(findings));
    co_return false;
  }
  if (*running_ > 0) {
    reply = refused(409, "busy", "another simulation is running; one runs at a time, so that serving is not disturbed: try again in a moment");
    co_return false;
  }
  const Counted counted(running_);
  const Result<ToolJob> job = simulation_of(*gateway.config(), *written, asked.value());
  if (!job) {
    reply = refused(503, "", job.error().message);
    co_return false;
  }
  Result<std::unique_ptr<ToolRun>> run = ToolRun::start(gateway.control_executor(), job.value());
  if (!run) {
    reply = refused(503, "", run.error().message);
    co_return false;
  }
  const auto under = std::make_shared<Under>(gateway.control_executor(), std::move(run.value()));
  asio::co_spawn(gateway.control_executor(), run_to_end(under), [](const std::exception_ptr&) {});
  const bool streams = request.accept.find("text/event-stream") != std::string_view::npos;
  const bool waits = co_await wait_for(under, stream, streams);
  if (!waits) co_return true;
  reply = report_of(*under->result);
  if (!streams) co_return false;
  std::string last = event(reply.status == 200 ? "result" : "error", text_of(Json::parse(reply.body)));
  co_await write_all(stream, std::move(last));
  co_return true;
}

}  // namespace tollgate
