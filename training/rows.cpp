#include "training/rows.hpp"

#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "gateway/parse_chat.hpp"

namespace tollgate::training {
namespace {

Error failed(const std::string& path, std::size_t line, const std::string& what) {
  return Error{Fault::io_failed, path + (line > 0 ? ":" + std::to_string(line) : "") + ": " + what};
}

Result<Seen> see(const nlohmann::json& request) {
  static thread_local ChatParser parser(256);
  std::string body = request.dump();
  body.reserve(body.size() + ChatParser::padding);
  ChatView chat;
  ClientBody map;
  TOLLGATE_TRY(parser.parse(body, Surface::chat, chat, map));
  const Features features = features_of(chat);
  return Seen{terms_of(features), features.lexical, features.text_bytes};
}

Result<std::string> read_file(const std::string& path) {
  const gzFile file = gzopen(path.c_str(), "rb");  // reads plain files too
  if (file == nullptr) return failed(path, 0, "cannot be opened");
  std::string text;
  char buffer[1 << 16];
  int got = 0;
  while ((got = gzread(file, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
  gzclose(file);
  if (got < 0) return failed(path, 0, "cannot be read, or is not gzip as its begin says");
  return text;
}

int tier_number(const std::string& name) {
  constexpr std::string_view names[] = {"SIMPLE", "MEDIUM", "COMPLEX", "REASONING"};
  const auto at = std::ranges::find(names, name);
  return at == std::end(names) ? -1 : static_cast<int>(at - std::begin(names));
}

}  // namespace

Result<std::vector<Labelled>> read_labelled(const std::string& path) {
  TOLLGATE_TRY(const std::string text, read_file(path));
  std::vector<Labelled> rows;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    nlohmann::json row = nlohmann::json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("messages")) return failed(path, number, "is no labelled request");
    Labelled labelled;
    labelled.tier = tier_number(row.value("tier", ""));
    if (labelled.tier < 0) return failed(path, number, "tier must be SIMPLE, MEDIUM, COMPLEX or REASONING");
    labelled.kind = row.value("kind", "other");
    labelled.language = row.value("lang", "en");
    labelled.core = row.value("core", static_cast<int>(number));
    for (const char* own : {"id", "kind", "core", "lang", "tier"}) row.erase(own);
    row["model"] = "auto";
    const Result<Seen> seen = see(row);
    if (!seen) return failed(path, number, seen.error().message);
    labelled.seen = seen.value();
    rows.push_back(std::move(labelled));
  }
  if (rows.empty()) return failed(path, 0, "holds no labelled request");
  return rows;
}

std::vector<std::vector<std::string>> read_csv(std::string_view text) {
  std::vector<std::vector<std::string>> records;
  std::vector<std::string> record;
  std::string field;
  bool quoted = false;
  const auto end_field = [&] { record.push_back(std::exchange(field, {})); };
  const auto end_record = [&] {
    end_field();
    if (record.size() > 1 || !record[0].empty()) records.push_back(std::exchange(record, {}));
    record.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      end_field();
    } else if (c == '\n') {
      end_record();
    } else if (c != '\r') {
      field += c;
    }
  }
  if (!field.empty() || !record.empty()) end_record();
  return records;
}

Result<Source> read_source(const std::string& path) {
  TOLLGATE_TRY(const std::string text, read_file(path));
  const std::vector<std::vector<std::string>> records = read_csv(text);
  if (records.empty()) return failed(path, 0, "is empty");
  std::array<std::size_t, 4> column{};
  constexpr std::array<std::string_view, 4> wanted = {"prompt", "group", "weak_ok", "strong_ok"};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto at = std::ranges::find(records[0], wanted[i]);
    if (at == records[0].end()) return failed(path, 1, "has no column '" + std::string(wanted[i]) + "'");
    column[i] = static_cast<std::size_t>(at - records[0].begin());
  }
  Source source;
  source.name = path.substr(path.find_last_of('/') + 1);
  source.name = source.name.substr(0, source.name.find('.'));
  for (std::size_t i = 1; i < records.size(); ++i) {
    const std::vector<std::string>& record = records[i];
    if (record.size() != records[0].size())
      return failed(path, 0, "record " + std::to_string(i) + " has another number of fields");
    Outcome outcome;
    char *weak_end = nullptr, *strong_end = nullptr;
    const std::string &weak = record[column[2]], &strong = record[column[3]];
    outcome.weak = std::strtof(weak.c_str(), &weak_end);
    outcome.strong = std::strtof(strong.c_str(), &strong_end);
    if (weak.empty() || strong.empty() || *weak_end != '\0' || *strong_end != '\0') {
      return failed(path, 0, "record " + std::to_string(i) + ": weak_ok and strong_ok must be numbers");
    }
    outcome.group = record[column[1]];
    const Result<Seen> seen =
        see({{"model", "auto"}, {"messages", {{{"role", "user"}, {"content", record[column[0]]}}}}});
    if (!seen) return failed(path, 0, "record " + std::to_string(i) + ": " + seen.error().message);
    outcome.seen = seen.value();
    source.rows.push_back(std::move(outcome));
  }
  if (source.rows.empty()) return failed(path, 0, "holds no outcome");
  return source;
}

}  // namespace tollgate::training
