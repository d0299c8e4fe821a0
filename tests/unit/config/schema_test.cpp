// The schema knows exactly the keys that the loader accepts.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "config/draft.hpp"
#include "unit/config/every_key.hpp"
#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

/// Collects the paths of all keys below a schema, written as the loader writes them.
class SchemaWalk {
 public:
  explicit SchemaWalk(const Json& root) : root_(root) { walk(root, ""); }
  [[nodiscard]] const std::set<std::string>& keys() const { return keys_; }
  [[nodiscard]] const std::set<std::string>& undescribed() const { return undescribed_; }

 private:
  void walk(const Json& schema, const std::string& path) {
    if (schema.contains("$ref"))
      walk(root_.at(Json::json_pointer(schema.at("$ref").get<std::string>().substr(1))), path);
    for (const char* branches : {"anyOf", "oneOf", "allOf"}) {
      if (schema.contains(branches)) {
        for (const Json& branch : schema.at(branches)) walk(branch, path);
      }
    }
    if (schema.contains("items")) walk(schema.at("items"), path + "[]");
    if (schema.contains("properties")) {
      for (const auto& [key, value] : schema.at("properties").items()) {
        const std::string below = path.empty() ? key : path + "." + key;
        keys_.insert(below);
        if (!value.contains("description") && !value.contains("$ref")) undescribed_.insert(below);
        walk(value, below);
      }
    }
    if (schema.contains("additionalProperties") && schema.at("additionalProperties").is_object()) {
      keys_.insert(path + ".*");
      walk(schema.at("additionalProperties"), path + ".*");
    }
  }

  const Json& root_;
  std::set<std::string> keys_, undescribed_;
};

std::vector<std::string> without(const std::set<std::string>& all, const std::set<std::string>& some) {
  std::vector<std::string> rest;
  std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(rest));
  return rest;
}

TEST(Schema, KnowsExactlyTheKeysTheLoaderAccepts) {
  const Json schema = Json::parse(config_schema());
  const SchemaWalk walk(schema);
  const auto environment = testing::environment_of({{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  const Loaded loaded = load_and_list_keys(testing::every_key, "every_key", environment);
  ASSERT_TRUE(loaded.config) << loaded.config.error().message;
  EXPECT_THAT(without(loaded.accepted, walk.keys()), ::testing::IsEmpty())
      << "the loader accepts keys that config/schema.json does not know";
  EXPECT_THAT(without(walk.keys(), loaded.accepted), ::testing::IsEmpty())
      << "config/schema.json knows keys that the loader does not";
}

TEST(Schema, DescribesEveryKey) {
  const Json schema = Json::parse(config_schema());
  EXPECT_THAT(SchemaWalk(schema).undescribed(), ::testing::IsEmpty());
}

/// The default that the schema states for a key, as text.
std::string stated_default(const Json& schema, const std::string& section, const std::string& key) {
  const Json& value = schema.at("properties").at(section).at("properties").at(key).at("default");
  return value.is_string() ? value.get<std::string>() : value.dump();
}

TEST(Schema, StatesTheDefaultsThatHold) {
  const Json schema = Json::parse(config_schema());
  for (const char* section : {"server", "admin", "ledger", "log", "tiers"}) {
    for (const auto& [key, value] : schema.at("properties").at(section).at("properties").items()) {
      if (!value.contains("default") && value.value("type", "") == "array") continue;   // of lists the default is none
      if (key == "password" || key == "password_file") continue;                        // of secrets, too
      const bool of_postgres = key == "files" || key == "start_wait_seconds";
      const std::string place = of_postgres ? "url: \"postgresql://db/x\", " : "";
      const std::string around = of_postgres ? "ledger: {url: \"postgresql://db/x\"}\n" : "";
      // Writing the stated default must load and change nothing.
      const std::string yaml =
          testing::minimal + section + ": {" + place + key + ": \"" + stated_default(schema, section, key) + "\"}\n";
      const ConfigPtr stated = testing::loaded(yaml);
      const ConfigPtr built_in = testing::loaded(testing::minimal + around);
      SCOPED_TRACE(yaml);
      EXPECT_EQ(stated->server.listen.port, built_in->server.listen.port);
      EXPECT_EQ(stated->server.reactors, built_in->server.reactors);
      EXPECT_EQ(stated->server.head_bytes_max, built_in->server.head_bytes_max);
      EXPECT_EQ(stated->server.body_bytes_max, built_in->server.body_bytes_max);
      EXPECT_EQ(stated->server.nesting_max, built_in->server.nesting_max);
      EXPECT_EQ(stated->server.connections_max, built_in->server.connections_max);
      EXPECT_EQ(stated->server.head_timeout, built_in->server.head_timeout);
      EXPECT_EQ(stated->server.body_timeout, built_in->server.body_timeout);
      EXPECT_EQ(stated->server.idle_timeout, built_in->server.idle_timeout);
      EXPECT_EQ(stated->server.write_timeout, built_in->server.write_timeout);
      EXPECT_EQ(stated->server.keepalive_comment, built_in->server.keepalive_comment);
      EXPECT_EQ(stated->server.drain, built_in->server.drain);
      EXPECT_EQ(stated->admin.listen.port, built_in->admin.listen.port);
      EXPECT_EQ(stated->ledger.path, built_in->ledger.path);
      EXPECT_EQ(stated->ledger.commit_interval, built_in->ledger.commit_interval);
      EXPECT_EQ(stated->ledger.open_requests_max, built_in->ledger.open_requests_max);
      EXPECT_EQ(stated->ledger.keep_days, built_in->ledger.keep_days);
      EXPECT_EQ(stated->ledger.start_wait, built_in->ledger.start_wait);
      EXPECT_EQ(stated->log.level, built_in->log.level);
      EXPECT_EQ(stated->log.format, built_in->log.format);
      EXPECT_EQ(stated->log.access, built_in->log.access);
      EXPECT_EQ(stated->tiers.medium, built_in->tiers.medium);
      EXPECT_EQ(stated->tiers.complex, built_in->tiers.complex);
      EXPECT_EQ(stated->tiers.reasoning, built_in->tiers.reasoning);
    }
  }
}

}  // namespace
}  // namespace tollgate
