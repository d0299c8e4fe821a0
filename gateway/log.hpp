#pragma once
// Logging: one line per event, as text for people or JSON for machines, to standard error, written by a thread of its own.
//
//    log_event(LogLevel::warn, "backend unreachable", {{"backend", name}, {"why", error.message}});
//
// Never prompt text, never a secret: what is logged is chosen field by field. Threads: any; a call copies its line into a bounded
// queue; when that is full the oldest lines give way.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

struct LogField {
  std::string_view name;
  std::string value;
  bool quoted = true;      ///< false: a number or literal, as JSON sees it
};

/// Before the first event, and again when a reload changes it.
void configure_log(const LogConfig& config);
/// Writes out what is queued. Before the process ends.
void flush_log();

[[nodiscard]] bool logs(LogLevel level) noexcept;
void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
void log_event(LogLevel level, std::string_view event, std::span<const LogField> fields);

/// `text` as the inside of a JSON string; bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string json_escaped(std::string_view text);

}  // namespace tollgate
