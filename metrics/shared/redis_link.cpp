#include "metrics/shared/redis_link.hpp"

#include <hiredis/hiredis.h>

#include "metrics/shared/redis_socket.hpp"

namespace tollgate {
namespace {

constexpr std::size_t read_bytes = 16 * 1024;

using Reader = std::unique_ptr<redisReader, decltype(&redisReaderFree)>;

void append(std::string& bytes, const RedisCommand& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> lengths;
  for (const std::string& word : command) {
    words.push_back(word.data());
    lengths.push_back(word.size());
  }
  char* formatted = nullptr;
  const int length = redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), words.data(), lengths.data());
  if (length < 0) throw std::bad_alloc();
  bytes.append(formatted, static_cast<std::size_t>(length));
  redisFreeCommand(formatted);
}

RedisReply taken(const redisReply& reply) {
  RedisReply out;
  using Kind = RedisReply::Kind;
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      out.kind = Kind::integer;
      out.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      out.kind = Kind::list;
      for (std::size_t i = 0; i < reply.elements; ++i) out.list.push_back(taken(*reply.element[i]));
      break;
    case REDIS_REPLY_NIL:
      break;
    default:
      out.kind = reply.type == REDIS_REPLY_ERROR ? Kind::error : Kind::text;
      out.text.assign(reply.str, reply.len);
  }
  return out;
}

/// "name:value" of what INFO answers.
std::string field_of(std::string_view info, std::string_view name) {
  const std::string begin = "\n" + std::string(name) + ":";
  const std::size_t at = info.find(begin);
  if (at == std::string_view::npos) return {};
  info.remove_prefix(at + begin.size());
  return std::string(info.substr(0, info.find_first_of("\r\n")));
}

}  // namespace

RedisLink::RedisLink(const SharedConfig& config) : config_(config) {}
RedisLink::~RedisLink() = default;

void RedisLink::close() noexcept { socket_.reset(); }

Result<void> RedisLink::ready() {
  if (socket_) return success();
  TOLLGATE_TRY(socket_, Socket::open(config_));
  const Result<void> greeted = greet();
  if (!greeted) close();
  return greeted;
}

Result<void> RedisLink::greet() {
  std::vector<RedisCommand> commands;
  if (!config_.password.empty()) {
    RedisCommand auth{"AUTH"};
    if (!config_.user.empty()) auth.push_back(config_.user);
    auth.push_back(config_.password.reveal());
    commands.push_back(std::move(auth));
  }
  if (config_.database != 0) commands.push_back({"SELECT", std::to_string(config_.database)});
  const std::size_t must_work = commands.size();
  commands.push_back({"INFO"});
  TOLLGATE_TRY(const std::vector<RedisReply> replies, exchange(commands));
  for (std::size_t i = 0; i < must_work; ++i) {
    if (replies[i].kind == RedisReply::Kind::error) {
      return fail(Fault::io_failed, config_.where + " refuses " + (commands[i][0] == "AUTH" ? "user or password" : "the database") + ": " + replies[i].text);
    }
  }
  const RedisReply& info = replies.back();
  if (info.kind == RedisReply::Kind::error && info.text.starts_with("NOAUTH")) {
    return fail(Fault::io_failed, config_.where + " wants a password: set shared.password");
  }
  server_run_ = field_of(info.text, "run_id");
  const bool has_limit = field_of(info.text, "maxmemory") != "0";
  eviction_ = has_limit ? field_of(info.text, "maxmemory_policy") : std::string();
  if (eviction_ == "noeviction") eviction_.clear();
  return success();
}

Result<std::vector<RedisReply>> RedisLink::exchange(const std::vector<RedisCommand>& commands) {
  std::string bytes;
  for (const RedisCommand& command : commands) append(bytes, command);
  TOLLGATE_TRY(socket_->write(bytes));
  const Reader reader(redisReaderCreate(), &redisReaderFree);
  std::vector<RedisReply> replies;
  std::vector<char> buffer(read_bytes);
  while (replies.size() < commands.size()) {
    void* got = nullptr;
    if (redisReaderGetReply(reader.get(), &got) != REDIS_OK) {
      return fail(Fault::io_failed, config_.where + " does not speak Redis's protocol: " + reader->errstr);
    }
    if (got != nullptr) {
      replies.push_back(taken(*static_cast<const redisReply*>(got)));
      freeReplyObject(got);
      continue;
    }
    TOLLGATE_TRY(const std::size_t size, socket_->read(buffer.data(), buffer.size()));
    redisReaderFeed(reader.get(), buffer.data(), size);
  }
  return replies;
}

Result<std::vector<RedisReply>> RedisLink::ask(const std::vector<RedisCommand>& commands) {
  TOLLGATE_TRY(ready());
  Result<std::vector<RedisReply>> replies = exchange(commands);
  if (!replies) close();
  return replies;
}

}  // namespace tollgate
