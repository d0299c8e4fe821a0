// `engine:` of a backend: what is asked of the inference engine itself.
#include "config/draft.hpp"

namespace tollgate {

void load_engine(const Cursor& place, Backend& backend) {
  if (!place.present()) return;
  using Metrics = EngineConfig::Metrics;
  EngineConfig engine;
  MapReader section(place);
  section.choice("metrics", engine.metrics, {{"auto", Metrics::automatic}, {"on", Metrics::on}, {"off", Metrics::off}});
  const Cursor path = section.at("path");
  if (path.present()) {
    section.text("path", engine.path);
    if (!engine.path.starts_with('/') || engine.path.find_first_of(" \t\r\n#") != std::string::npos) {
      path.report("is not the path of a page; write one that begins with a slash, such as /metrics");
    }
  }
  section.seconds("interval_seconds", engine.interval, milliseconds{200}, std::chrono::hours(1));
  const Cursor per_request = section.at("per_request_metrics");
  section.flag("per_request_metrics", engine.per_request_metrics);
  if (engine.per_request_metrics && backend.dialect != DialectName::vllm) {
    per_request.report("only engines of the dialect vllm give their timings with an answer; remove it");
  }
  backend.engine = std::move(engine);
}

}  // namespace tollgate
