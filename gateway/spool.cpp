#include "gateway/spool.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "gateway/log.hpp"

namespace tollgate {
namespace {

std::string directory_of(const PassThroughConfig& rules) {
  if (!rules.spool_dir.empty()) return rules.spool_dir;
  const char* const temporary = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
}

Error no_room(std::string message) {
  Error error = fail(Fault::internal, std::move(message));
  error.http_status = 503;
  error.code = "spool_unavailable";
  error.retry_after = std::chrono::seconds{5};
  return error;
}

/// The client learns that it failed; where and why is the operator's.
Error disk_error(const std::string& directory) {
  const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known errors
  log_event(LogLevel::error, "a body cannot be kept on disk; see passthrough.spool_dir", {{"dir", directory}, {"error", why}});
  return no_room("the gateway has no room for a body of this size now (passthrough.spool_dir cannot be written); try again later");
}

}  // namespace

std::atomic<std::size_t> Spool::on_disk_{0};

Spool::~Spool() {
  if (mapped_ != nullptr) ::munmap(mapped_, size_);
  if (file_ >= 0) ::close(file_);
  on_disk_.fetch_sub(taken_, std::memory_order_relaxed);
}

bool Spool::take(std::size_t bytes) noexcept {
  if (on_disk_.fetch_add(bytes, std::memory_order_relaxed) + bytes > rules_.spool_bytes_max) {
    on_disk_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }
  taken_ += bytes;
  return true;
}

Result<void> Spool::append(std::string_view bytes) {
  size_ += bytes.size();
  if (file_ < 0 && size_ <= memory_bytes_max) {
    memory_.append(bytes);
    return success();
  }
  if (file_ < 0) {
    TOLLGATE_TRY(open());
    const std::string kept = std::move(memory_);
    memory_ = std::string();
    TOLLGATE_TRY(write(kept));
  }
  return write(bytes);
}

Result<void> Spool::open() {
  const std::string directory = directory_of(rules_);
  file_ = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file_ < 0) {                       // a file system that knows no files without a name
    std::string path = directory + "/tollgate-XXXXXX";
    file_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (file_ >= 0) ::unlink(path.c_str());
  }
  if (file_ < 0) return disk_error(directory);
  return success();
}

Result<void> Spool::write(std::string_view bytes) {
  if (!take(bytes.size())) return no_room("too many large bodies are on their way (passthrough.spool_bytes_max); try again later");
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return disk_error(directory_of(rules_));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return success();
}

Result<std::string_view> Spool::whole() {
  if (file_ < 0) return std::string_view(memory_);
  if (mapped_ == nullptr) {
    void* const at = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_, 0);
    if (at == MAP_FAILED) return disk_error(directory_of(rules_));
    mapped_ = at;
    ::madvise(at, size_, MADV_SEQUENTIAL);
  }
  return std::string_view(static_cast<const char*>(mapped_), size_);
}

}  // namespace tollgate
