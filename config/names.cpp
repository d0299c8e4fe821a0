#include "config/names.hpp"

namespace tollgate {

Names::Names() { add(""); }

Names& Names::global() {
  static Names* const names = new Names;  // never destroyed: views of it may be used until the last thread ends
  return *names;
}

NameId Names::add(std::string_view name) {
  const std::uint32_t id = size_.load(std::memory_order_relaxed);
  const std::uint32_t chunk = id / chunk_size;
  if (id % chunk_size == 0) {
    owned_chunks_.push_back(std::make_unique<std::string_view[]>(chunk_size));
    chunks_[chunk].store(owned_chunks_.back().get(), std::memory_order_release);
  }
  const std::string_view kept = storage_.emplace_back(name);
  chunks_[chunk].load(std::memory_order_relaxed)[id % chunk_size] = kept;
  ids_.emplace(kept, NameId{id});
  size_.store(id + 1, std::memory_order_release);
  return NameId{id};
}

NameId Names::intern(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  if (size() >= names_max - 1) {
    const auto other = ids_.find("other");
    return other != ids_.end() ? other->second : add("other");
  }
  return add(name);
}

std::string_view Names::text(NameId id) const noexcept {
  const auto index = static_cast<std::uint32_t>(id);
  if (index >= size()) return {};
  return chunks_[index / chunk_size].load(std::memory_order_acquire)[index % chunk_size];
}

}  // namespace tollgate
