#pragma once
// Providers that run a request as a job: it is submitted, asked about until it has ended, and its result is fetched. Pure: JSON in, the next
// step out; the calls are made by the job transport (job_transport.hpp). Facts of the providers' documentation of November 2026:
//
//   replicate  POST /v1/models/OWNER/NAME/predictions, /v1/deployments/OWNER/NAME/predictions or /v1/predictions (by version), with
//              `Prefer: wait=60`; GET /v1/predictions/ID; POST …/cancel. status: starting, processing, succeeded, failed, canceled, aborted.
//   runpod     POST /ENDPOINT/runsync; GET /ENDPOINT/status/ID; POST /ENDPOINT/cancel/ID. status: IN_QUEUE, IN_PROGRESS, COMPLETED, FAILED,
//              CANCELLED, TIMED_OUT. executionTime and delayTime are milliseconds.
//   fal        POST /OWNER/APP/…; GET /OWNER/APP/requests/ID/status, then …/requests/ID; PUT …/cancel. status: IN_QUEUE, IN_PROGRESS,
//              COMPLETED.
//
// Addresses that an answer names are not followed: the key goes to the configured host alone.

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

/// Whether answers of this dialect come as jobs.
[[nodiscard]] bool runs_jobs(DialectName dialect) noexcept;

struct JobStep {
  enum class Kind : std::uint8_t {
    ask_again,   ///< after a while, at `path`
    fetch,       ///< the result lies at `path`
    done         ///< `body` is the dialect's whole answer
  };
  Kind kind = Kind::done;
  std::string path, body;
};

/// A job as its submission named it.
struct Job {
  DialectName dialect = DialectName::replicate;
  std::string submitted_at;   ///< the path
  std::string id;             ///< "" until an answer told it
  bool over = false;          ///< it has ended, well or not
};

/// What follows from an answer (2xx) to the submission or to a question about the job; `job` learns its id from it. Faults: upstream_status
/// if the job failed, upstream_garbage if the answer is none of a job.
[[nodiscard]] Result<JobStep> next_step(Job& job, std::string_view body);
/// What the answer to a fetch is to the dialect.
[[nodiscard]] std::string fetched(const Job& job, std::string_view body);

struct JobCancel {
  std::string_view method;
  std::string path;
};
/// How a running job is ended. Only with an id.
[[nodiscard]] JobCancel cancel_of(const Job& job);

}  // namespace tollgate
