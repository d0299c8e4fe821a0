#include "config/file_watch.hpp"

#include <sys/stat.h>

#include <utility>

namespace tollgate {

FileWatch::FileWatch(std::string path) : path_(std::move(path)), told_(now()), seen_(told_) {}

std::optional<FileWatch::State> FileWatch::now() const {
  struct stat file {};
  if (::stat(path_.c_str(), &file) != 0) return std::nullopt;
  return State{file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

bool FileWatch::poll() {
  const std::optional<State> state = now();
  const bool settled = state == std::exchange(seen_, state);
  if (!state || !settled || state == told_) return false;
  told_ = state;
  return true;
}

}  // namespace tollgate
