#pragma once

#include <memory>

namespace tollgate {

/// Counts as long as it lives, which may be longer than who counts does.
class Counted {
 public:
  explicit Counted(std::shared_ptr<unsigned> count) : count_(std::move(count)) { ++*count_; }
  ~Counted() { --*count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  const std::shared_ptr<unsigned> count_;
};

}  // namespace tollgate
