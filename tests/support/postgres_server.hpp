#pragma once
// A PostgreSQL server of its own for a test program: a fresh cluster in a temporary folder, on a Unix socket there, without
// any port. PostgreSQL refuses root, so root becomes `nobody` for it.
//
//    PostgresServer& server = PostgresServer::shared();
//    if (!server.why_not().empty()) GTEST_SKIP() << server.why_not();
//    const LedgerPlace place(server.fresh_database());
//    server.stop(); server.start();                         // as a restart of the database

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "metrics/postgres.hpp"

namespace tollgate::testing {

class PostgresServer {
 public:
  static PostgresServer& shared() {
    static PostgresServer server;
    return server;
  }
  ~PostgresServer() {
    stop();
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// Why there is none, "" if there is one.
  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  [[nodiscard]] std::string url(const std::string& database) const { return "postgresql://postgres@/" + database + "?host=" + folder_; }
  [[nodiscard]] std::string fresh_database() {
    const std::string name = "ledger_" + std::to_string(++databases_);
    auto connection = PgConnection::open(LedgerPlace(url("postgres")), PgRole::writer);
    if (!connection) throw std::runtime_error(connection.error().message);
    const auto made = connection.value().script("CREATE DATABASE " + name);
    if (!made) throw std::runtime_error(made.error().message);
    return url(name);
  }

  void start() {
    server_ = spawn({bin_ + "/postgres", "-D", folder_ + "/data", "-k", folder_, "-c", "listen_addresses=", "-c", std::string("fsync=") + (std::getenv("TOLLGATE_FSYNC") != nullptr ? "on" : "off"), "-c",
                     "max_connections=40", "-c", "log_min_messages=fatal"});
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (;;) {
      auto connection = PgConnection::open(LedgerPlace(url("postgres")), PgRole::reader);
      if (connection) return;
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error(connection.error().message);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  /// At once: sessions are cut off.
  void stop() {
    if (server_ <= 0) return;
    ::kill(server_, SIGINT);
    int status = 0;
    ::waitpid(server_, &status, 0);
    server_ = 0;
  }

 private:
  PostgresServer() {
    std::error_code ignored;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
      if (std::filesystem::exists(version.path() / "bin/initdb")) bin_ = (version.path() / "bin").string();
    }
    if (bin_.empty()) {
      why_not_ = "no PostgreSQL server is installed (package postgresql)";
      return;
    }
    std::string made = "/tmp/tollgate-postgres-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = made;
    if (::geteuid() == 0) {
      const passwd* const nobody = ::getpwnam("nobody");
      user_ = nobody->pw_uid;
      group_ = nobody->pw_gid;
      if (::chown(made.c_str(), user_, group_) != 0) throw std::runtime_error("chown");
    }
    const pid_t initdb = spawn({bin_ + "/initdb", "-D", folder_ + "/data", "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8",
                                "--locale=C.UTF-8"});
    int status = 0;
    ::waitpid(initdb, &status, 0);
    if (status != 0) throw std::runtime_error("initdb failed");
    start();
  }

  [[nodiscard]] pid_t spawn(const std::vector<std::string>& command) const {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (user_ != 0 && (::setgroups(0, nullptr) != 0 || ::setgid(group_) != 0 || ::setuid(user_) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    const int nothing = ::open("/dev/null", O_RDWR);
    for (const int each : {0, 1, 2}) ::dup2(nothing, each);
    if (::chdir("/") != 0) ::_exit(126);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  std::string bin_, folder_, why_not_;
  uid_t user_ = 0;
  gid_t group_ = 0;
  pid_t server_ = 0;
  unsigned databases_ = 0;
};

}  // namespace tollgate::testing
