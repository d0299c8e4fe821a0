#include "metrics/postgres.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "config/utf8.hpp"

namespace tollgate {
namespace {

// Types of parameters (pg_type.dat); they never change.
constexpr unsigned bytea_type = 17, bigint_type = 20, text_type = 25, bigints_type = 1016, texts_type = 1009;

constexpr std::string_view copy_header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view copy_end("\377\377", 2);
/// libpq keeps what is not sent yet; a piece of this size goes out before the next is put there.
constexpr std::size_t copy_piece = 256 * 1024;

template <class Integer>
void put(std::string& out, Integer value) {
  for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift));
  }
}

/// Parameters that a user's URL may say otherwise; libpq takes the last of a name, so they come first.
struct Default {
  const char* key;
  const char* value;
};
// A connection whose other end is gone must not hold the ledger for the hours that TCP would wait.
constexpr Default defaults[] = {{"connect_timeout", "5"},     {"keepalives_idle", "15"},
                                {"keepalives_interval", "5"}, {"keepalives_count", "3"},
                                {"tcp_user_timeout", "20000"}, {"fallback_application_name", "tollgate"},
                                {"client_encoding", "UTF8"}};

/// libpq quotes what it cannot understand, a whole URL if it must.
std::string without_secrets(std::string message, const LedgerPlace& place) {
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  const std::string& url = place.url().reveal();
  for (std::size_t at = 0; (at = message.find(url, at)) != std::string::npos;) {
    const std::string shown = place.shown();
    message.replace(at, url.size(), shown);
    at += shown.size();
  }
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

const char* remedy_for(std::string_view state) {
  if (state.starts_with("28")) return "; check user, password and the server's pg_hba.conf";
  if (state == "3D000") return "; make the database first: createdb";
  if (state == "42501") return "; the role must own the database, or be granted CREATE on it";
  if (state.starts_with("53")) return "; the server is out of disk, memory or connections";
  if (state == "25006") return "; this server is a standby: name the primary, or give both hosts and target_session_attrs=read-write";
  if (state.starts_with("57P")) return "; the server is stopping or starting";
  return "";
}

}  // namespace

std::string storable(std::string_view text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0 || text.front() == '\0') {
      out += replacement;
      text.remove_prefix(1);
      continue;
    }
    out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

PgValue::PgValue(std::int64_t number) : type_(bigint_type), present_(true), binary_(true) { put(value_, number); }
PgValue::PgValue(std::string_view text) : type_(text_type), present_(true), value_(storable(text)) {}

PgValue PgValue::bytes(std::string_view bytes) {
  PgValue value;
  value.type_ = bytea_type;
  value.present_ = value.binary_ = true;
  value.value_ = bytes;
  return value;
}

PgValue PgValue::array(unsigned type, const std::vector<std::string>& items) {
  PgValue value;
  value.type_ = type;
  value.present_ = true;
  value.value_ = "{";
  for (const std::string& item : items) {
    if (value.value_.size() > 1) value.value_ += ',';
    value.value_ += item;
  }
  value.value_ += '}';
  return value;
}

PgValue PgValue::numbers(const std::vector<std::int64_t>& numbers) {
  std::vector<std::string> items;
  for (const std::int64_t number : numbers) items.push_back(std::to_string(number));
  return array(bigints_type, items);
}

PgValue PgValue::texts(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  for (const std::string& text : texts) {
    std::string& item = items.emplace_back("\"");
    for (const char c : storable(text)) {
      if (c == '"' || c == '\\') item += '\\';
      item += c;
    }
    item += '"';
  }
  return array(texts_type, items);
}

void PgRows::Clear::operator()(pg_result* result) const noexcept { PQclear(result); }
int PgRows::count() const noexcept { return PQntuples(result_.get()); }
std::int64_t PgRows::changed() const { return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10); }
bool PgRows::is_null(int row, int column) const noexcept { return PQgetisnull(result_.get(), row, column) != 0; }
std::int64_t PgRows::number(int row, int column) const {
  const char* const text = PQgetvalue(result_.get(), row, column);
  return *text == 't' ? 1 : std::strtoll(text, nullptr, 10);
}
std::string_view PgRows::text(int row, int column) const noexcept {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::string PgRows::bytes(int row, int column) const {
  const std::string_view hex = text(row, column);
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 2; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

void PgCopy::begin_row(int fields) {
  if (data_.empty()) data_ = copy_header;
  put(data_, static_cast<std::int16_t>(fields));
  ++rows_;
}
void PgCopy::add(std::int64_t number) {
  const std::uint32_t size = __builtin_bswap32(sizeof number);
  const std::uint64_t swapped = __builtin_bswap64(static_cast<std::uint64_t>(number));
  char field[sizeof size + sizeof swapped];
  std::memcpy(field, &size, sizeof size);
  std::memcpy(field + sizeof size, &swapped, sizeof swapped);
  data_.append(field, sizeof field);
}
void PgCopy::add_null() { put(data_, std::int32_t{-1}); }
void PgCopy::add_bytes(const void* bytes, std::size_t size) {
  put(data_, static_cast<std::int32_t>(size));
  data_.append(static_cast<const char*>(bytes), size);
}
void PgCopy::clear() noexcept {
  data_.clear();
  rows_ = 0;
}

void PgConnection::Finish::operator()(pg_conn* connection) const noexcept { PQfinish(connection); }

Error PgConnection::refusal(const pg_result* result) {
  const char* const state = result != nullptr ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  state_ = state == nullptr ? "" : state;
  const char* const severity = result != nullptr ? PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED) : nullptr;
  // The server has ended the session; that libpq may notice only at the next try.
  if (severity != nullptr && (std::string_view(severity) == "FATAL" || std::string_view(severity) == "PANIC")) ended_ = true;
  const char* const said = result != nullptr ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  std::string message = said != nullptr ? said : handle_ ? PQerrorMessage(handle_.get()) : "it is not connected";
  return fail(Fault::io_failed,
              "the ledger " + place_.shown() + ": " + without_secrets(std::move(message), place_) + remedy_for(state_));
}

Result<PgConnection> PgConnection::open(const LedgerPlace& place, PgRole role) {
  char* wrong = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(place.url().reveal().c_str(), &wrong);
  if (parsed == nullptr) {
    const std::string why = wrong == nullptr ? "out of memory" : without_secrets(wrong, place);
    PQfreemem(wrong);
    return fail(Fault::bad_config, "the ledger's URL " + place.shown() + " cannot be understood: " + why);
  }
  std::vector<const char*> keys, values;
  for (const Default& each : defaults) {
    keys.push_back(each.key);
    values.push_back(each.value);
  }
  const Result<Secret> password = place.password();
  if (!password) {
    PQconninfoFree(parsed);
    return password.error();
  }
  if (!password.value().empty()) {
    keys.push_back("password");
    values.push_back(password.value().reveal().c_str());
  }
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    keys.push_back(option->keyword);
    values.push_back(option->val);
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  PgConnection connection;
  connection.place_ = place;
  connection.handle_.reset(PQconnectdbParams(keys.data(), values.data(), 0));
  PQconninfoFree(parsed);
  if (PQstatus(connection.handle_.get()) != CONNECTION_OK) return connection.refusal(nullptr);
  PQsetNoticeProcessor(connection.handle_.get(), [](void*, const char*) {}, nullptr);
  TOLLGATE_TRY(connection.set_up(role));
  return connection;
}

Result<void> PgConnection::set_up(PgRole role) {
  const std::string encoding = PQparameterStatus(handle_.get(), "server_encoding");
  if (encoding != "UTF8") {
    return fail(Fault::bad_config, "the ledger " + place_.shown() + " is a database in " + encoding +
                                       "; names need UTF8: createdb --encoding=UTF8 --template=template0");
  }
  std::string script = "SET search_path=" + std::string(schema) + ";SET TimeZone='UTC';SET bytea_output='hex';";
  // A session that hangs must not keep others from writing. What was acknowledged must be on disk.
  script += role == PgRole::writer ? "SET lock_timeout='5s';SET statement_timeout='60s';SET idle_in_transaction_session_timeout='60s';"
                                     "SET tcp_keepalives_idle=15;SET tcp_keepalives_interval=5;SET tcp_keepalives_count=3;"
                                     "SELECT set_config('synchronous_commit','on',false) WHERE current_setting('synchronous_commit')='off';"
                                   : "SET cursor_tuple_fraction=1;SET default_transaction_read_only=on;";
  return this->script(script);
}

Result<PgRows> PgConnection::run(const std::string& sql, const std::vector<PgValue>& given) {
  if (!handle_) return refusal(nullptr);
  std::vector<Oid> types;
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const PgValue& value : given) {
    types.push_back(value.type_);
    values.push_back(value.present_ ? value.value_.c_str() : nullptr);
    lengths.push_back(static_cast<int>(value.value_.size()));
    formats.push_back(value.binary_ ? 1 : 0);
  }
  pg_result* const result = PQexecParams(handle_.get(), sql.c_str(), static_cast<int>(given.size()), types.data(),
                                         values.data(), lengths.data(), formats.data(), 0);
  PgRows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return refusal(result);
  return rows;
}

Result<void> PgConnection::script(const std::string& sql) {
  if (!handle_) return refusal(nullptr);
  const PgRows rows(PQexec(handle_.get(), sql.c_str()));
  pg_result* const result = rows.raw();
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return refusal(result);
  return success();
}

Result<void> PgConnection::copy_in(const std::string& table_and_columns, const PgCopy& rows) {
  if (rows.empty()) return success();
  if (!handle_) return refusal(nullptr);
  {
    const PgRows begun(PQexec(handle_.get(), ("COPY " + table_and_columns + " FROM STDIN (FORMAT binary)").c_str()));
    if (PQresultStatus(begun.raw()) != PGRES_COPY_IN) return refusal(begun.raw());
  }
  bool sent = true;
  for (std::size_t at = 0; sent && at < rows.data_.size(); at += copy_piece) {
    const std::size_t size = std::min(copy_piece, rows.data_.size() - at);
    sent = PQputCopyData(handle_.get(), rows.data_.data() + at, static_cast<int>(size)) == 1;
  }
  sent = sent && PQputCopyData(handle_.get(), copy_end.data(), static_cast<int>(copy_end.size())) == 1;
  sent = PQputCopyEnd(handle_.get(), sent ? nullptr : "not sent") == 1 && sent;
  Result<void> outcome = success();
  for (;;) {
    const PgRows rest(PQgetResult(handle_.get()));
    if (rest.raw() == nullptr) break;
    if (outcome && PQresultStatus(rest.raw()) != PGRES_COMMAND_OK) outcome = refusal(rest.raw());
    if (PQstatus(handle_.get()) == CONNECTION_BAD) break;
  }
  if (outcome && !sent) outcome = refusal(nullptr);
  return outcome;
}

// Without asking the server: an idle session that the server has ended shows at its socket.
void PgConnection::look() noexcept {
  if (!handle_) return;
  pollfd socket{PQsocket(handle_.get()), POLLRDHUP, 0};
  if (::poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) ended_ = true;
}

bool PgConnection::lost() const noexcept { return ended_ || !handle_ || PQstatus(handle_.get()) != CONNECTION_OK; }
int PgConnection::backend() const noexcept { return handle_ ? PQbackendPID(handle_.get()) : 0; }

}  // namespace tollgate
