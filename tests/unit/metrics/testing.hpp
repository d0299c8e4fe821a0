#pragma once
// A small language for the tests of metrics/: a folder of its own per test, clocks that stand, targets, random numbers
// with a seed.

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "metrics/metrics.hpp"

namespace tollgate::testing {

/// TOLLGATE_SEED if set, else a new one each time; printed, so that a failure can be repeated.
inline std::uint64_t seed() {
  static const std::uint64_t chosen = [] {
    const char* const given = std::getenv("TOLLGATE_SEED");
    const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "TOLLGATE_SEED=" << value << std::endl;
    return value;
  }();
  return chosen;
}

/// Removed with all it holds at the end of the test.
class Folder {
 public:
  Folder() {
    std::string made = (std::filesystem::temp_directory_path() / "tollgate-test-XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = made;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline MonoTime at(std::int64_t nanoseconds) { return MonoTime{std::chrono::nanoseconds{nanoseconds}}; }
inline constexpr std::int64_t second_ns = 1'000'000'000;

/// A pool at so many picodollars per `hours` hours.
inline Pool pool_of(std::string_view name, Int128 picodollars, std::int64_t hours = 1, std::int64_t gpus = 1) {
  Pool pool;
  pool.name = Names::global().intern(name);
  pool.gpus = gpus;
  pool.rate_picodollars = picodollars;
  pool.rate_denominator = hours;
  return pool;
}

inline Target target_of(std::string_view id) {
  Target target;
  target.id = Names::global().intern(id);
  return target;
}

inline TokenPrices prices_of(std::int64_t input_femto, std::int64_t output_femto) {
  TokenPrices prices;
  prices.input = UsdPerToken{input_femto};
  prices.output = UsdPerToken{output_femto};
  return prices;
}

inline Usage usage_of(std::int64_t input, std::int64_t output) {
  Usage usage;
  usage.input = TokenCount{input};
  usage.output = TokenCount{output};
  return usage;
}

inline AttemptEnd ended(RowResult result, const Usage& usage = {}, UsageSource source = UsageSource::none) {
  AttemptEnd end;
  end.result = result;
  end.usage = usage;
  end.usage_source = source;
  end.http_status = result.is_ok() ? 200 : 0;
  return end;
}

inline RequestOpened opened(unsigned reactor = 0, std::string_view team = "red") {
  RequestOpened request{};
  request.id = next_request_id(reactor);
  request.arrived_us = 1'790'000'000'000'000;
  request.model = Names::global().intern("auto");
  request.team = Names::global().intern(team);
  request.key = Names::global().intern("key-of-" + std::string(team));
  request.input_bytes = 1000;
  return request;
}

inline RequestClosing closing(RowResult result = RowResult::ok()) {
  RequestClosing closing;
  closing.result = result;
  closing.http_status = result.is_ok() ? 200 : 502;
  closing.overhead = std::chrono::microseconds{30};
  closing.first_token = std::chrono::milliseconds{120};
  closing.duration = std::chrono::milliseconds{900};
  return closing;
}

/// What a reader of the ledger sees: opens the file on its own.
class Reader {
 public:
  explicit Reader(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &connection_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
      throw std::runtime_error("cannot open " + path);
    }
    sqlite3_busy_timeout(connection_, 5000);
  }
  ~Reader() { sqlite3_close(connection_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// The first column of the first row as text; "(null)" and "(nothing)" for those.
  [[nodiscard]] std::string text(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(connection_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(connection_));
    }
    std::string value = "(nothing)";
    if (sqlite3_step(statement) == SQLITE_ROW) {
      const unsigned char* const bytes = sqlite3_column_text(statement, 0);
      value = bytes == nullptr ? "(null)" : reinterpret_cast<const char*>(bytes);
    }
    sqlite3_finalize(statement);
    return value;
  }
  [[nodiscard]] std::int64_t number(const std::string& sql) { return std::stoll(text(sql)); }
  void run(const std::string& sql) { sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr); }

 private:
  sqlite3* connection_ = nullptr;
};

/// All kinds of charges together.
inline constexpr const char* sum_pusd =
    "SELECT coalesce(sum(input_pusd+cached_input_pusd+cache_write_pusd+output_pusd+request_pusd+gpu_pusd),0) FROM "
    "attempt";

inline LedgerConfig ledger_at(const std::string& path, std::uint32_t slots = 256) {
  LedgerConfig config;
  config.path = path;
  config.open_requests_max = slots;
  config.commit_interval = std::chrono::milliseconds{2};
  return config;
}

inline std::unique_ptr<Accounts> start(const LedgerConfig& config, unsigned reactors = 1,
                                       MonoClock clock = &std::chrono::steady_clock::now) {
  auto accounts = Accounts::start(config, reactors, std::move(clock));
  if (!accounts) throw std::runtime_error(accounts.error().message);
  return std::move(accounts).value();
}

/// Waits for a slot as the gateway does, but without an end.
inline OpenRequest& must_open(Books& books, Accounts& accounts, const RequestOpened& request) {
  for (;;) {
    if (OpenRequest* const open = books.open(request)) return *open;
    accounts.flush();
  }
}

}  // namespace tollgate::testing
