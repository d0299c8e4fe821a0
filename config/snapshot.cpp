#include "config/snapshot.hpp"

#include <utility>

#include "config/sha256.hpp"

namespace tollgate {

ConfigHolder::ConfigHolder(ConfigPtr first, std::string path, Environment environment)
    : path_(std::move(path)), environment_(std::move(environment)), current_(std::move(first)) {
  status_.last_success = std::chrono::system_clock::now();
}

ConfigPtr ConfigHolder::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

ConfigStatus ConfigHolder::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Result<ReloadOutcome> ConfigHolder::reload(ReloadCause cause) {
  Result<std::string> text = read_config_text(path_);
  if (text) return reload_text(text.value(), cause);
  const std::lock_guard lock(mutex_);
  ++status_.reloads_failed;
  status_.last_reload_ok = false;
  status_.last_error = text.error().message;
  return std::move(text).error();
}

Result<ReloadOutcome> ConfigHolder::reload_text(std::string_view yaml, ReloadCause cause) {
  const std::lock_guard one_at_a_time(reloading_);
  const std::string hash = sha256_hex(yaml);
  const ConfigPtr before = current();
  if (cause == ReloadCause::file_changed && (hash == before->sha256 || hash == refused_sha256_)) {
    if (hash == before->sha256) {  // a bad edit was taken back: nothing is wrong any more
      refused_sha256_.clear();
      const std::lock_guard lock(mutex_);
      status_.last_reload_ok = true;
      status_.last_error.clear();
    }
    return ReloadOutcome{false, before, {}};
  }
  Result<ConfigPtr> loaded = load_text(yaml, path_, environment_);
  if (!loaded) {
    refused_sha256_ = hash;
    const std::lock_guard lock(mutex_);
    ++status_.reloads_failed;
    status_.last_reload_ok = false;
    status_.last_error = loaded.error().message;
    return std::move(loaded).error();
  }
  refused_sha256_.clear();
  return put_in_force(std::move(loaded.value()));
}

ReloadOutcome ConfigHolder::put_in_force(ConfigPtr config) {
  const std::lock_guard lock(mutex_);
  ReloadOutcome outcome{true, config, keys_at_next_start(*current_, *config)};
  current_ = std::move(config);
  ++status_.reloads;
  ++status_.generation;
  status_.last_reload_ok = true;
  status_.last_error.clear();
  status_.last_success = std::chrono::system_clock::now();
  generation_.store(status_.generation, std::memory_order_release);
  return outcome;
}

std::vector<std::string> keys_at_next_start(const Config& old_config, const Config& new_config) {
  std::vector<std::string> keys;
  const auto differs = [&](bool is_different, const char* key) {
    if (is_different) keys.emplace_back(key);
  };
  const auto same_address = [](const ListenAddress& a, const ListenAddress& b) {
    return a.host == b.host && a.port == b.port;
  };
  differs(!same_address(old_config.server.listen, new_config.server.listen), "server.listen");
  differs(old_config.server.reactors != new_config.server.reactors, "server.reactors");
  differs(!same_address(old_config.admin.listen, new_config.admin.listen), "admin.listen");
  const bool same_database = old_config.ledger.postgres == new_config.ledger.postgres;
  const bool same_file = old_config.ledger.path == new_config.ledger.path;
  differs(!same_database || (!same_file && new_config.ledger.postgres.empty()), "ledger.url");
  differs(!same_file && same_database && !new_config.ledger.postgres.empty(), "ledger.files");
  differs(old_config.ledger.password_file != new_config.ledger.password_file, "ledger.password_file");
  differs(old_config.ledger.password != new_config.ledger.password, "ledger.password");
  differs(old_config.ledger.commit_interval != new_config.ledger.commit_interval, "ledger.commit_interval_ms");
  differs(old_config.ledger.open_requests_max != new_config.ledger.open_requests_max, "ledger.open_requests_max");
  differs(old_config.shared != new_config.shared, "shared");
  return keys;
}

}  // namespace tollgate
