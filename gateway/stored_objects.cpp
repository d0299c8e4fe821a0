#include "gateway/stored_objects.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "gateway/log.hpp"

namespace tollgate {
namespace {

constexpr std::size_t id_bytes_max = 128;

std::string line_of(std::string_view id, const StoredObject& object) {
  const nlohmann::json line{{"id", id}, {"team", text(object.team)}, {"backend", text(object.backend)}};
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

NameId name_in(const nlohmann::json& line, const char* member) {
  const auto found = line.find(member);
  if (found == line.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) return NameId::none;
  return Names::global().intern(found->get_ref<const std::string&>());
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string last_error() { return std::strerror(errno); }  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known errors

}  // namespace

bool is_object_id(std::string_view id) noexcept {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':'; };
  return !id.empty() && id.size() <= id_bytes_max && id.front() != '.' && std::all_of(id.begin(), id.end(), is_plain);
}

StoredObjects::~StoredObjects() {
  if (file_ >= 0) ::close(file_);
}

Result<std::size_t> StoredObjects::open(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::size_t broken = 0;
  path_ = path;
  std::ifstream in(path);
  if (!in) return broken;                // made with the first line
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json read = nlohmann::json::parse(line, nullptr, false);
    const bool has_id = read.is_object() && read.contains("id") && read["id"].is_string();
    if (!has_id || !is_object_id(read["id"].get_ref<const std::string&>())) {
      ++broken;
    } else if (read.contains("gone")) {
      known_.erase(read["id"].get<std::string>());
    } else {
      known_.emplace(read["id"].get<std::string>(), StoredObject{name_in(read, "team"), name_in(read, "backend")});
    }
  }
  any_ = !known_.empty();
  in.close();
  const std::string fresh = path + ".new";
  const int made = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (made < 0) return fail(Fault::io_failed, "cannot write " + fresh + ": " + last_error());
  std::string all;
  for (const auto& [id, object] : known_) all += line_of(id, object);
  const bool written = write_all(made, all) && ::fsync(made) == 0;
  ::close(made);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0) return fail(Fault::io_failed, "cannot write " + path + ": " + last_error());
  return broken;
}

std::optional<StoredObject> StoredObjects::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(std::string(id));
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void StoredObjects::add(std::string_view id, const StoredObject& object) {
  if (!is_object_id(id)) return;
  const std::lock_guard lock(mutex_);
  any_ = true;
  if (known_.emplace(std::string(id), object).second) append(line_of(id, object));
}

void StoredObjects::remove(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (known_.erase(std::string(id)) != 0) append(nlohmann::json{{"id", id}, {"gone", true}}.dump() + "\n");
}

std::size_t StoredObjects::size() const {
  const std::lock_guard lock(mutex_);
  return known_.size();
}

/// What cannot be written is known until the process ends.
void StoredObjects::append(const std::string& line) {
  if (path_.empty()) return;
  if (file_ < 0) file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file_ >= 0 && write_all(file_, line)) return;
  log_event(LogLevel::error, "whose a file or batch is could not be written down; it is forgotten at the next start", {{"error", last_error()}});
}

}  // namespace tollgate
