#pragma once
// Puts the values back that mask() replaced (router/mask.hpp), in an answer on its way to the client. A placeholder may
// be split over any number of events of a stream: text that could be the beginning of one is held until the rest has
// come.

#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backends/sse.hpp"
#include "router/mask.hpp"

namespace tollgate {

class Restorer {
 public:
  /// Keeps only what can be put back.
  explicit Restorer(std::vector<Masked::Swap> swaps);

  /// A whole answer, JSON.
  [[nodiscard]] std::string whole(std::string_view json) const;
  /// The next whole events of a stream; appends what goes to the client.
  [[nodiscard]] Result<void> events(std::string_view bytes, std::string& out);
  /// The stream is complete: what is still held.
  void finish(std::string& out);

 private:
  void event(std::string_view raw, std::string& out);
  /// Restores `text` of one channel with what was held of it; keeps what may go on unless `last`.
  void restore_piece(const std::string& channel, std::string& text, bool last);
  // restore_events.cpp: streams in a client's own protocol. False: it is none of them.
  bool native(const std::string& raw, nlohmann::ordered_json& json, std::string& out);
  void block(bool stop, const std::string& raw, nlohmann::ordered_json& json, std::string& out);
  void response(const std::string& type, nlohmann::ordered_json& json, std::string& out);
  void restore_all(nlohmann::ordered_json& json) const;
  void choice(nlohmann::ordered_json& choice);
  void release(nlohmann::ordered_json& choice, const std::string& index);
  [[nodiscard]] std::string replaced(std::string_view text) const;
  [[nodiscard]] std::size_t begun_in(std::string_view text) const noexcept;

  std::vector<Masked::Swap> swaps_;
  SseSplitter splitter_;
  std::map<std::string, std::string> held_;  // channel ("0.content", "0.tool.1") → beginning of a placeholder
  std::string frame_;                        // an event's members but for its choices, for text held to the very end
};

}  // namespace tollgate
