#pragma once
// The configuration in force. A reload that fails keeps the old one and says why.
//
//    ConfigHolder holder(first, "tollgate.yaml", process_environment());
//    ConfigView view(holder);                                    // one per reactor
//    const ConfigPtr& config = view.current();                   // per request: one atomic load
//    Result<ReloadOutcome> done = holder.reload(ReloadCause::asked);   // control thread
//
// Threads: every method of ConfigHolder may be called on any thread; reloads run one after the other. A ConfigView
// belongs to one thread.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

enum class ReloadCause : std::uint8_t {
  asked,        ///< by signal or by the admin port: always read, since files that hold credentials may have changed too
  file_changed  ///< by a FileWatch: a text already loaded or already refused is left alone
};

struct ReloadOutcome {
  bool changed = false;  ///< false: the text is the one in force, or was refused before
  ConfigPtr config;      ///< in force now
  /// Keys whose new value takes effect only at the next start, such as "server.listen".
  std::vector<std::string> at_next_start;
};

/// For the tollgate_config_* metrics.
struct ConfigStatus {
  std::uint64_t generation = 1;  ///< counts snapshots; 1 is the one of the start
  std::uint64_t reloads = 0;     ///< that took effect
  std::uint64_t reloads_failed = 0;
  bool last_reload_ok = true;
  std::chrono::system_clock::time_point last_success;
  std::string last_error;  ///< of the last reload, "" if it went well
};

class ConfigHolder {
 public:
  ConfigHolder(ConfigPtr first, std::string path, Environment environment);
  ConfigHolder(const ConfigHolder&) = delete;
  ConfigHolder& operator=(const ConfigHolder&) = delete;

  [[nodiscard]] ConfigPtr current() const;
  /// Rises with every snapshot; reading it costs one atomic load.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
  [[nodiscard]] ConfigStatus status() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Reads the file again. Fault::bad_config: it is wrong, and what was in force stays so.
  [[nodiscard]] Result<ReloadOutcome> reload(ReloadCause cause);
  /// The same with a text: for tests and for the admin port.
  [[nodiscard]] Result<ReloadOutcome> reload_text(std::string_view yaml, ReloadCause cause);

 private:
  ReloadOutcome put_in_force(ConfigPtr config);

  const std::string path_;  // constant after construction
  const Environment environment_;
  std::mutex reloading_;      // held for a whole reload
  mutable std::mutex mutex_;  // guards current_ and status_
  ConfigPtr current_;
  ConfigStatus status_;
  std::string refused_sha256_;  // guarded by reloading_
  std::atomic<std::uint64_t> generation_{1};
};

/// A thread's own look at a ConfigHolder: takes its lock only when there is a new snapshot.
class ConfigView {
 public:
  explicit ConfigView(const ConfigHolder& holder)
      : holder_(holder), generation_(holder.generation()), config_(holder.current()) {}
  [[nodiscard]] const ConfigPtr& current() {
    const std::uint64_t generation = holder_.generation();
    if (generation != generation_) {
      config_ = holder_.current();  // may be newer still; then the next call takes it once more
      generation_ = generation;
    }
    return config_;
  }

 private:
  const ConfigHolder& holder_;
  std::uint64_t generation_;
  ConfigPtr config_;
};

/// Which keys differ that are read at the start only.
[[nodiscard]] std::vector<std::string> keys_at_next_start(const Config& old_config, const Config& new_config);

}  // namespace tollgate
