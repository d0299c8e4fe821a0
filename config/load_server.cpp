// The sections about the gateway itself: server, admin, ledger, log, tiers, auth.
#include <fmt/format.h>

#include <limits>
#include <map>

#include "config/address.hpp"
#include "config/draft.hpp"
#include "config/sha256.hpp"

namespace tollgate {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::int64_t kibibyte = 1024;
constexpr std::int64_t mebibyte = 1024 * kibibyte;

void load_listen(MapReader& section, ListenAddress& out, std::optional<Cursor>& place) {
  const Cursor value = section.at("listen");
  place = value;
  if (!value.present()) return;
  const auto text = value.text();
  if (!text) return;
  Result<ListenAddress> address = parse_listen(*text);
  if (address) {
    out = std::move(address.value());
  } else {
    value.report(address.error().message);
  }
}

void load_limits(MapReader& section, ServerConfig& server) {
  section.integer("reactors", server.reactors, 0, 1024);
  section.integer("head_bytes_max", server.head_bytes_max, kibibyte, mebibyte);
  section.integer("body_bytes_max", server.body_bytes_max, kibibyte, 1024 * mebibyte);
  section.integer("nesting_max", server.nesting_max, 8, 1024);
  section.integer("connections_max", server.connections_max, 1, 1'000'000);
  section.seconds("head_timeout_seconds", server.head_timeout, milliseconds(10), hours(1));
  section.seconds("body_timeout_seconds", server.body_timeout, milliseconds(10), hours(1));
  section.seconds("idle_timeout_seconds", server.idle_timeout, milliseconds(10), hours(24));
  section.seconds("write_timeout_seconds", server.write_timeout, milliseconds(10), hours(1));
  section.seconds("keepalive_comment_seconds", server.keepalive_comment, milliseconds(0), hours(1));
  section.seconds("drain_seconds", server.drain, milliseconds(0), hours(24));
}

void load_tiers(MapReader section, TierBounds& tiers) {
  section.share("medium", tiers.medium);
  section.share("complex", tiers.complex);
  section.share("reasoning", tiers.reasoning);
  if (!section.cursor().present()) return;
  const bool rising = 0 < tiers.medium && tiers.medium < tiers.complex && tiers.complex < tiers.reasoning;
  if (!rising) {
    section.cursor().report(
        fmt::format("the bounds must rise from above 0: medium {} < complex {} < reasoning {} does not hold",
                    tiers.medium, tiers.complex, tiers.reasoning));
  }
}

/// Its hash, from `sha256:`; nothing if it is missing or no hash, which is reported.
std::optional<Sha256> load_hash(MapReader& section) {
  const Cursor hash = section.required("sha256");
  const auto digits = hash.present() ? hash.secret() : std::nullopt;
  if (!digits) return std::nullopt;
  const auto read = sha256_from_hex(*digits);
  // Not quoted: it may be the key itself, put here by mistake.
  if (!read)
    hash.report(
        "the SHA-256 of the key was expected, 64 hexadecimal digits and not the key itself; 'tollgate keys new' "
        "makes both");
  return read;
}

void load_admin_keys(const Cursor& keys, std::vector<AdminKey>& to) {
  if (!keys.present()) return;
  std::map<std::string, Place> names;
  for (const Cursor& place : keys.items()) {
    MapReader section(place);
    if (!section.cursor().present()) continue;
    const Cursor name = section.required("name");
    const auto name_text = name.present() ? name.text() : std::nullopt;
    const auto hash = load_hash(section);
    if (!name_text || !is_legal_name(*name_text, name, "key") || !hash) continue;
    const auto [known, is_new] = names.emplace(*name_text, place.place());
    if (!is_new) {
      place.report(fmt::format("the name '{}' is taken by the key in line {}; name keys apart", *name_text, known->second.line));
    }
    to.push_back({*name_text, *hash});
  }
}

std::optional<ApiKey> load_key(const Cursor& place) {
  MapReader section(place);
  if (!section.cursor().present()) return std::nullopt;
  ApiKey key{};
  bool complete = true;
  const Cursor name = section.required("name");
  const auto name_text = name.present() ? name.text() : std::nullopt;
  complete = name_text && is_legal_name(*name_text, name, "key");
  if (complete) key.name = Names::global().intern(*name_text);
  std::string team = "default";
  section.text("team", team);
  if (is_legal_name(team, section.at("team"), "team")) key.team = Names::global().intern(team);
  const auto hash = load_hash(section);
  if (hash) key.sha256 = *hash;
  const Cursor models = section.at("models");
  if (models.present()) key.models = models.texts();
  return complete && hash ? std::optional(std::move(key)) : std::nullopt;
}

}  // namespace

void load_server(MapReader& root, Draft& draft) {
  Config& config = draft.config;
  {
    MapReader section(root.at("server"));
    load_listen(section, config.server.listen, draft.server_listen);
    load_limits(section, config.server);
  }
  {
    MapReader section(root.at("admin"));
    load_listen(section, config.admin.listen, draft.admin_listen);
    load_admin_keys(section.at("keys"), config.admin_keys);
  }
  {
    MapReader section(root.at("log"));
    section.choice("format", config.log.format, {{"text", LogFormat::text}, {"json", LogFormat::json}});
    section.choice(
        "level", config.log.level,
        {{"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warn", LogLevel::warn}, {"error", LogLevel::error}});
    section.flag("access", config.log.access);
  }
  load_tiers(MapReader(root.at("tiers")), config.tiers);
  root.integer("attempts_max", config.attempts_max, 1, attempts_max_limit);
  root.flag("air_gap", config.air_gap);
  load_ledger(MapReader(root.at("ledger")), config);
}

void load_auth(MapReader& root, Draft& draft) {
  MapReader section(root.at("auth"));
  const Cursor keys = section.at("keys");
  if (!keys.present()) return;
  std::map<std::string_view, Place> names;
  std::map<Sha256, Place> hashes;
  for (const Cursor& place : keys.items()) {
    std::optional<ApiKey> key = load_key(place);
    if (!key) continue;
    const auto [name, name_is_new] = names.emplace(text(key->name), place.place());
    if (!name_is_new)
      place.report(fmt::format("the name '{}' is taken by the key in line {}; name keys apart", text(key->name),
                               name->second.line));
    const auto [hash, hash_is_new] = hashes.emplace(key->sha256, place.place());
    if (!hash_is_new)
      place.report(
          fmt::format("the same key stands in line {}; every entry needs a key of its own", hash->second.line));
    draft.config.keys.push_back(std::move(*key));
  }
}

}  // namespace tollgate
