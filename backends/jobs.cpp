#include "backends/jobs.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backends/json_members.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::text_at;

bool is_safe_id(std::string_view id) noexcept {
  const auto legal = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), legal);
}

// "/OWNER/APP" of "/OWNER/APP/sub/path": jobs are asked about without the rest.
std::string_view fal_app(std::string_view path) {
  const std::size_t owner_end = path.find('/', 1);
  return owner_end == std::string_view::npos ? path : path.substr(0, path.find('/', owner_end + 1));
}

std::string_view runpod_endpoint(std::string_view path) { return path.substr(0, path.find('/', 1)); }

std::string job_path(const Job& job) {
  switch (job.dialect) {
    case DialectName::runpod: return std::string(runpod_endpoint(job.submitted_at)) + "/status/" + job.id;
    case DialectName::fal: return std::string(fal_app(job.submitted_at)) + "/requests/" + job.id;
    default: return "/v1/predictions/" + job.id;
  }
}

enum class Phase : std::uint8_t { waiting, done, failed, unknown };

Phase phase_of(std::string_view status) noexcept {
  for (const std::string_view word : {"starting", "processing", "IN_QUEUE", "IN_PROGRESS"}) {
    if (status == word) return Phase::waiting;
  }
  if (status == "succeeded" || status == "COMPLETED") return Phase::done;
  for (const std::string_view word : {"failed", "canceled", "aborted", "FAILED", "CANCELLED", "TIMED_OUT"}) {
    if (status == word) return Phase::failed;
  }
  return Phase::unknown;
}

std::string reason_of(const Json& answer) {
  const Json& error = at(answer, "error");
  if (error.is_string()) return error.get<std::string>();
  if (error.is_object()) return text_at(error, "message");
  return {};
}

}  // namespace

bool runs_jobs(DialectName dialect) noexcept {
  return dialect == DialectName::replicate || dialect == DialectName::runpod || dialect == DialectName::fal;
}

Result<JobStep> next_step(Job& job, std::string_view body) {
  const Json answer = Json::parse(body, nullptr, false);
  if (!answer.is_object()) return fail(Fault::upstream_garbage, "the upstream's answer is not the JSON of a job");
  if (job.id.empty()) {
    job.id = text_at(answer, job.dialect == DialectName::fal ? "request_id" : "id");
    if (!is_safe_id(job.id)) {
      job.id.clear();
      return fail(Fault::upstream_garbage, "the upstream's answer names no job");
    }
  }
  const std::string status = text_at(answer, "status");
  const std::string reason = reason_of(answer);
  Phase phase = phase_of(status);
  if (phase == Phase::done && job.dialect == DialectName::fal && !reason.empty()) phase = Phase::failed;
  switch (phase) {
    case Phase::waiting:
      return JobStep{JobStep::Kind::ask_again, job_path(job) + (job.dialect == DialectName::fal ? "/status" : ""), {}};
    case Phase::done:
      job.over = true;
      if (job.dialect == DialectName::fal) return JobStep{JobStep::Kind::fetch, job_path(job), {}};
      return JobStep{JobStep::Kind::done, {}, std::string(body)};
    case Phase::failed:
      job.over = true;
      return fail(Fault::upstream_status, "the job ended as " + status + (reason.empty() ? "" : ": " + reason.substr(0, 300)));
    case Phase::unknown:
      break;
  }
  return fail(Fault::upstream_garbage, "the upstream's job has no status that is known");
}

std::string fetched(const Job& job, std::string_view body) {
  return "{\"id\":\"" + job.id + "\",\"output\":" + std::string(body) + "}";
}

JobCancel cancel_of(const Job& job) {
  if (job.dialect == DialectName::runpod) return {"POST", std::string(runpod_endpoint(job.submitted_at)) + "/cancel/" + job.id};
  return {job.dialect == DialectName::fal ? "PUT" : "POST", job_path(job) + "/cancel"};
}

}  // namespace tollgate
