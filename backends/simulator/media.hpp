#pragma once
// The other endpoints of OpenAI's API, for gateways that pass them through: images, speech, transcriptions, moderations, files, uploads, batches.
// Answers are of this program's own making: valid in form, with usage worked out from what was asked, and of no meaning. Files live as
// long as the simulator. Threads: the server's one.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "backends/simulator/connection.hpp"

namespace tollgate::simulator {

struct Page;

class Media {
 public:
  /// nullopt: the path is none of these.
  [[nodiscard]] std::optional<Page> page(const HttpRequest& request);

 private:
  struct File {
    std::string name, purpose, content;
    std::int64_t created = 0;
  };
  [[nodiscard]] Page images(const HttpRequest& request, bool has_form) const;
  [[nodiscard]] Page speech(const HttpRequest& request) const;
  [[nodiscard]] Page transcript(const HttpRequest& request) const;
  [[nodiscard]] Page moderation(const HttpRequest& request) const;
  [[nodiscard]] Page files(const HttpRequest& request, std::string_view below);
  [[nodiscard]] Page uploads(const HttpRequest& request, std::string_view below);
  [[nodiscard]] std::string keep(std::string name, std::string purpose, std::string content);
  [[nodiscard]] Page batches(const HttpRequest& request, std::string_view below);

  static constexpr std::size_t files_max = 64;         // the oldest go
  std::map<std::string, File> files_;                  // by id, which rises
  std::map<std::string, File> uploads_;                // whose parts come one after the other
  std::map<std::string, std::string> batches_;         // JSON by id
  std::uint64_t made_ = 0;
};

}  // namespace tollgate::simulator
