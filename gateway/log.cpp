#include "gateway/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace tollgate {

namespace {

constexpr std::size_t queue_lines_max = 8192;
std::atomic<LogLevel> least{LogLevel::info};
std::atomic<LogFormat> format{LogFormat::text};

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
  }
  return "info";
}

spdlog::logger& sink() {
  static const std::shared_ptr<spdlog::async_logger> logger = [] {
    spdlog::init_thread_pool(queue_lines_max, 1);
    auto made = std::make_shared<spdlog::async_logger>("tollgate", std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                                       spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

void append_timestamp(fmt::memory_buffer& line) {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
  fmt::format_to(std::back_inserter(line), "{:%Y-%m-%dT%H:%M:%S}.{:03d}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                 (now - seconds).count());
}

// A value that a shell or a person can take apart again: quoted when it holds anything but plain characters.
void append_plain(fmt::memory_buffer& line, std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"\\=\n\r\t") == std::string_view::npos;
  if (plain) {
    line.append(value);
  } else {
    fmt::format_to(std::back_inserter(line), "\"{}\"", json_escaped(value));
  }
}

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xC2 && byte(0) <= 0xDF) return follows(1) ? 2 : 0;
  if (byte(0) >= 0xE0 && byte(0) <= 0xEF) {
    if (!follows(1) || !follows(2) || (byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) >= 0xA0)) return 0;
    return 3;
  }
  if (byte(0) >= 0xF0 && byte(0) <= 0xF4) {
    if (!follows(1) || !follows(2) || !follows(3) || (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) >= 0x90)) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

void configure_log(const LogConfig& config) {
  least = config.level;
  format = config.format;
  static_cast<void>(sink());
}

void flush_log() { spdlog::shutdown(); }

bool logs(LogLevel level) noexcept { return level >= least.load(std::memory_order_relaxed); }

void log_event(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  log_event(level, event, std::span<const LogField>(fields.begin(), fields.size()));
}

void log_event(LogLevel level, std::string_view event, std::span<const LogField> fields) {
  if (!logs(level)) return;
  fmt::memory_buffer line;
  const auto out = std::back_inserter(line);
  if (format.load(std::memory_order_relaxed) == LogFormat::json) {
    fmt::format_to(out, "{{\"time\":\"");
    append_timestamp(line);
    fmt::format_to(out, "\",\"level\":\"{}\",\"event\":\"{}\"", name_of(level), json_escaped(event));
    for (const LogField& field : fields) {
      if (field.quoted) {
        fmt::format_to(out, ",\"{}\":\"{}\"", field.name, json_escaped(field.value));
      } else {
        fmt::format_to(out, ",\"{}\":{}", field.name, field.value);
      }
    }
    fmt::format_to(out, "}}");
  } else {
    append_timestamp(line);
    fmt::format_to(out, " {:<5} {}", name_of(level), json_escaped(event));
    for (const LogField& field : fields) {
      fmt::format_to(out, " {}=", field.name);
      append_plain(line, field.value);
    }
  }
  sink().log(spdlog::level::info, "{}", std::string_view(line.data(), line.size()));
}

}  // namespace tollgate
