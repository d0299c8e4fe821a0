#include "backends/simulator/records.hpp"

#include <nlohmann/json.hpp>

namespace tollgate::simulator {
namespace {

nlohmann::ordered_json optional_json(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json to_json(const Record& r) {
  nlohmann::ordered_json json{{"id", r.id},
                              {"response_id", r.response_id},
                              {"endpoint", r.endpoint},
                              {"model", r.model},
                              {"stream", r.stream},
                              {"status", r.status},
                              {"choices", r.choices},
                              {"prompt_tokens", r.prompt_tokens},
                              {"prompt_processed", r.prompt_processed},
                              {"cached_tokens", r.cached_tokens},
                              {"generated_tokens", r.generated_tokens},
                              {"preemptions", r.preemptions},
                              {"finish_reason", nullptr},
                              {"gpu_seconds", r.gpu_seconds},
                              {"work_seconds", r.work_seconds},
                              {"queue_seconds", r.queue_seconds},
                              {"ttft_seconds", optional_json(r.ttft_seconds)},
                              {"started_at", r.started_at},
                              {"finished_at", optional_json(r.finished_at)},
                              {"aborted_at", optional_json(r.aborted_at)},
                              {"fault", r.fault}};
  if (!r.finish_reason.empty()) json["finish_reason"] = r.finish_reason;
  return json;
}

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::string Record::json() const { return dumped(to_json(*this)); }

void Records::add(Record record) {
  if (records_.size() == records_max) forget_oldest();
  const std::uint64_t number = first_ + records_.size();
  by_id_[record.id] = number;
  if (!record.response_id.empty()) by_id_[record.response_id] = number;
  records_.push_back(std::move(record));
}

void Records::forget_oldest() {
  for (const std::string* id : {&records_.front().id, &records_.front().response_id}) {
    const auto found = by_id_.find(*id);
    if (found != by_id_.end() && found->second == first_) by_id_.erase(found);
  }
  records_.pop_front();
  ++first_;
}

const Record* Records::find(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  return found == by_id_.end() ? nullptr : &records_[static_cast<std::size_t>(found->second - first_)];
}

std::string Records::json_list(std::size_t limit) const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (auto record = records_.rbegin(); record != records_.rend() && list.size() < limit; ++record)
    list.push_back(to_json(*record));
  return dumped(nlohmann::ordered_json{{"requests", std::move(list)}});
}

}  // namespace tollgate::simulator
