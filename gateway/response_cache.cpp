#include "gateway/response_cache.hpp"

#include <cstring>

namespace tollgate {

// What is dropped is freed after the lock: giving a megabyte back to the heap takes longer than everything else here.

std::size_t ResponseCache::KeyHash::operator()(const Key& key) const noexcept {
  std::size_t hash = 0;
  std::memcpy(&hash, key.data() + 8, sizeof hash);   // of a SHA-256 any word is as good
  return hash;
}

void ResponseCache::drop(Part& part, std::list<Entry>::iterator entry, std::vector<AnswerPtr>& dropped) {
  part.bytes -= entry->bytes;
  dropped.push_back(std::move(entry->answer));
  part.by_key.erase(entry->key);
  part.by_use.erase(entry);
}

void ResponseCache::make_room(Part& part, std::vector<AnswerPtr>& dropped) const {
  const std::size_t most = bytes_max_.load(std::memory_order_relaxed) / parts;
  while (part.bytes > most) {
    drop(part, std::prev(part.by_use.end()), dropped);
    ++part.evicted;
  }
}

void ResponseCache::set_limit(std::size_t bytes_max) {
  bytes_max_.store(bytes_max, std::memory_order_relaxed);
  for (Part& part : parts_) {
    std::vector<AnswerPtr> dropped;
    const std::lock_guard lock(part.mutex);
    make_room(part, dropped);
  }
}

AnswerPtr ResponseCache::find(const Key& key, Time now, std::chrono::milliseconds max_age) {
  Part& part = part_of(key);
  const std::lock_guard lock(part.mutex);
  const auto found = part.by_key.find(key);
  if (found == part.by_key.end()) return nullptr;
  const AnswerPtr& answer = found->second->answer;
  if (now - answer->made_at > max_age) return nullptr;
  part.by_use.splice(part.by_use.begin(), part.by_use, found->second);
  return answer;
}

void ResponseCache::put(const Key& key, AnswerPtr answer) {
  const std::size_t bytes = answer->memory_bytes() + entry_bytes;
  if (bytes > bytes_max_.load(std::memory_order_relaxed) / parts) return;
  Part& part = part_of(key);
  std::vector<AnswerPtr> dropped;
  const std::lock_guard lock(part.mutex);
  if (const auto known = part.by_key.find(key); known != part.by_key.end()) {
    drop(part, known->second, dropped);
    ++part.replaced;
  }
  part.by_use.push_front({key, std::move(answer), bytes});
  part.by_key.emplace(key, part.by_use.begin());
  part.bytes += bytes;
  ++part.stored;
  make_room(part, dropped);
}

std::size_t ResponseCache::clear() {
  std::size_t count = 0;
  for (Part& part : parts_) {
    std::list<Entry> dropped;
    const std::lock_guard lock(part.mutex);
    count += part.by_use.size();
    part.by_key.clear();
    dropped.swap(part.by_use);
    part.bytes = 0;
  }
  return count;
}

ResponseCache::Status ResponseCache::status() const {
  Status all;
  all.bytes_max = bytes_max_.load(std::memory_order_relaxed);
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    all.entries += part.by_use.size();
    all.bytes += part.bytes;
    all.stored += part.stored;
    all.evicted += part.evicted;
    all.replaced += part.replaced;
  }
  return all;
}

}  // namespace tollgate
