#include "gateway/cli/price_files.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace tollgate::cli {

namespace {
constexpr std::size_t file_bytes_max = 256U << 20;
Error io_error(const std::string& what, const std::string& path) {
  return fail(Fault::io_failed, path + ": cannot be " + what + ": " + std::generic_category().message(errno));
}
}  // namespace

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(::gzopen(path.c_str(), "rb"), &::gzclose);
  if (!file) return io_error("opened", path);
  std::string text;
  char block[64 * 1024];
  for (;;) {
    const int got = ::gzread(file.get(), block, sizeof block);
    if (got < 0) return fail(Fault::io_failed, path + ": cannot be read: is it a file, and whole?");
    if (got == 0) break;
    text.append(block, static_cast<std::size_t>(got));
    if (text.size() > file_bytes_max) return fail(Fault::bad_config, path + ": larger than 256 MiB");
  }
  int code = Z_OK;
  ::gzerror(file.get(), &code);
  if (code != Z_OK && code != Z_STREAM_END)
    return fail(Fault::bad_config, path + ": the packed file ends in the middle");
  return text;
}

Result<prices::PriceBook> book_from(const std::string& path) {
  if (path.empty()) return prices::built_in_book();
  TOLLGATE_TRY(const std::string text, read_file(path));
  return prices::read_book(text, path);
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new." + std::to_string(::getpid());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return io_error("created", fresh);
  bool written = true;
  for (std::size_t at = 0; written && at < text.size();) {
    const ssize_t done = ::write(file, text.data() + at, text.size() - at);
    if (done < 0 && errno == EINTR) continue;
    written = done > 0;
    if (written) at += static_cast<std::size_t>(done);
  }
  written = written && ::fsync(file) == 0;
  const int failed = errno;
  ::close(file);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) {
    if (!written) errno = failed;
    Error error = io_error("written", path);
    ::unlink(fresh.c_str());
    return error;
  }
  return success();
}

}  // namespace tollgate::cli
