// What is wrong with a file is said with its place and with what would be right: one row per mistake.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

struct Broken {
  const char* name;
  std::string yaml;
  const char* place;  ///< "line:column", "" for the file as a whole
  const char* hint;   ///< must be part of the same line of the message
};
void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

std::string with(const std::string& section) { return testing::minimal + section; }
/// A backend `b` with these lines, from line 4 and column 5 on.
std::string backend(const std::string& lines) { return "version: 1\nbackends:\n  b:\n" + lines; }
/// A model `m` of a backend that has a url, written in line 6 from column 11 on.
std::string model(const std::string& inside) {
  return backend("    dialect: openai\n    models:\n      m: {" + inside + "}\n");
}
std::string pool(const std::string& inside) {
  return backend("    dialect: vllm\n    url: http://gpu\n    models: {m: {}}\n    pool: {" + inside + "}\n");
}
/// Routes begin in line 7, their first item in line 8 at column 5.
std::string route(const std::string& inside) { return with("routes:\n  - {name: r, " + inside + "}\n"); }

class BrokenConfig : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenConfig, SaysWhereAndWhatWouldBeRight) {
  const Broken& broken = GetParam();
  const std::string message = testing::error_of(broken.yaml, {{"EMPTY", ""}, {"SECRET", "hunter2"}});
  const std::string place = *broken.place == '\0' ? "test.yaml: " : "test.yaml:" + std::string(broken.place) + ": ";
  bool found = false;
  for (std::size_t at = 0; at <= message.size();) {
    const std::size_t end = std::min(message.find('\n', at), message.size());
    const std::string line = message.substr(at, end - at);
    found = found || (line.starts_with(place) && line.find(broken.hint) != std::string::npos);
    at = end + 1;
  }
  EXPECT_TRUE(found) << "expected " << place << "… " << broken.hint << "\ngot\n" << message;
  EXPECT_EQ(message.find("hunter2"), std::string::npos) << "a variable's value was printed";
}

std::string name_of_case(const ::testing::TestParamInfo<Broken>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    File, BrokenConfig,
    ::testing::Values(
        Broken{"Empty", "", "1:1", "begins with 'version: 1'"},
        Broken{"List", "- a\n", "1:1", "a map of keys was expected, not a list"},
        Broken{"Text", "hello\n", "1:1", "a map of keys was expected, not a single value"},
        Broken{"NoVersion", "backends: {b: {dialect: openai, models: {m: {}}}}\n", "1:1",
               "version is missing; add the line 'version: 1'"},
        Broken{"OtherVersion", "version: 2\nbackends: {b: {dialect: openai, models: {m: {}}}}\n", "1:10",
               "this program reads version 1"},
        Broken{"NoBackends", "version: 1\n", "1:1", "backends: is missing; add it"},
        Broken{"EmptyBackends", "version: 1\nbackends: {}\n", "2:11", "names no backend"},
        Broken{"UnknownSection", with("routs: []\n"), "7:1", "routs: unknown key, did you mean 'routes'?"},
        Broken{"SectionTwice", with("log: {}\nlog: {}\n"), "8:1", "stands here a second time (first in line 7)"},
        Broken{"KeyWithoutValue", with("log:\nadmin: {}\n"), "7:1",
               "log: has no value; give it a map of keys or remove the key"},
        Broken{"MergeKey", with("log: {<<: {level: info}}\n"), "7:7", "merge keys are not supported"},
        Broken{"Tab", with("log:\n\tlevel: info\n"), "8:1", "a tab stands in the indentation"},
        Broken{"SecondDocument", with("---\na: 1\n"), "7:1", "a second document begins here"},
        Broken{"Unclosed", with("log: {level: info\n"), "8:1", "this is not YAML"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Server, BrokenConfig,
    ::testing::Values(
        Broken{"MisspeltKey", with("server:\n  lisen: 127.0.0.1:1\n"), "8:3",
               "server.lisen: unknown key, did you mean 'listen'?"},
        Broken{"KeyWithoutUnit", with("server: {head_timeout: 5}\n"), "7:10", "did you mean 'head_timeout_seconds'?"},
        Broken{"HostName", with("server: {listen: example.org:80}\n"), "7:18", "the host is not an IP address"},
        Broken{"NoPort", with("server: {listen: 127.0.0.1}\n"), "7:18", "this is not host:port"},
        Broken{"PortTooLarge", with("server: {listen: 127.0.0.1:70000}\n"), "7:18", "a number from 0 to 65535"},
        Broken{"OpenWithoutKeys", with("server: {listen: \"0.0.0.0:8080\"}\n"), "7:18",
               "auth.keys is empty; add a key"},
        Broken{"OpenAdmin", with("admin: {listen: \"0.0.0.0:9090\"}\n"), "7:17", "bind it to 127.0.0.1"},
        Broken{"SamePort", with("server: {listen: 127.0.0.1:9090}\n"), "7:18", "give them different ports"},
        Broken{"UnitInValue", with("server: {body_bytes_max: 16MiB}\n"), "7:26",
               "a whole number from 1024 to 1073741824 was expected, without unit"},
        Broken{"OutOfRange", with("server: {nesting_max: 100000}\n"), "7:23",
               "'100000' is out of range; it goes from 8 to 1024"},
        Broken{"TooLarge", with("server: {nesting_max: 99999999999999999999}\n"), "7:23", "is out of range"},
        Broken{"NegativeSeconds", with("server: {drain_seconds: -1}\n"), "7:25", "it goes from 0 to 86400"},
        Broken{"TooFine", with("server: {drain_seconds: 0.0001}\n"), "7:25", "more than 3 decimals"},
        Broken{"ListForNumber", with("server: {reactors: [1]}\n"), "7:20", "a text was expected, not a list"},
        Broken{"WordForFlag", with("log: {access: yes}\n"), "7:15", "true or false was expected, not 'yes'"},
        Broken{"UnknownLevel", with("log: {level: warning}\n"), "7:14", "did you mean 'warn'?"},
        Broken{"OtherLedger", with("ledger: {url: \"mysql://db\"}\n"), "7:15", "postgresql://USER@HOST/DATABASE"},
        Broken{"LedgerFilesOfSqlite", with("ledger: {url: \"sqlite:a.db\", files: a}\n"), "7:37", "ledgers in PostgreSQL"},
        Broken{"LedgerPasswordOfSqlite", with("ledger: {password_file: a}\n"), "7:25", "ledgers in PostgreSQL"},
        Broken{"LedgerPasswordInUrl", with("ledger: {url: \"postgresql://me:hunter2@db/x\"}\n"), "7:15", "password_file"},
        Broken{"LedgerPasswordAsParameter", with("ledger: {url: \"postgresql://me@db/x?password=hunter2\"}\n"), "7:15", "must not stand in the URL"},
        Broken{"LedgerPasswordTwice", with("ledger: {url: \"postgresql://me@db/x\", password: a, password_file: b}\n"), "7:67", "keep one of the two"},
        Broken{"LedgerWaitOfSqlite", with("ledger: {start_wait_seconds: 3}\n"), "7:30", "ledgers in PostgreSQL"},
        Broken{"LedgerOutsideOfTheAirGap", with("air_gap: true\nledger: {url: \"postgresql://me@10.0.0.7,db.example.com:5433/x\"}\n"), "8:15", "db.example.com is no private address"},
        Broken{"LedgerKeepsLessThanABudgetsWindow", with("ledger: {url: \"postgresql://db/x\", keep_days: 31}\nbudgets: [{name: a, limit_usd: \"1\", per: month}]\n"), "8:11", "at least 32"},
        Broken{"LedgerWithoutPath", with("ledger: {url: \"sqlite:\"}\n"), "7:15", "write sqlite: and a path"},
        Broken{"TiersFall", with("tiers: {medium: 0.6}\n"), "7:8", "the bounds must rise"},
        Broken{"TierPastOne", with("tiers: {reasoning: 1.5}\n"), "7:20", "it goes from 0 to 1"},
        Broken{"NoAttempts", with("attempts_max: 0\n"), "7:15", "it goes from 1 to 5"}),
    name_of_case);

const std::string hash(64, 'a');

INSTANTIATE_TEST_SUITE_P(
    Auth, BrokenConfig,
    ::testing::Values(
        Broken{"MapOfKeys", with("auth: {keys: {a: b}}\n"), "7:14", "a list was expected, not a map of keys"},
        Broken{"KeyItself", with("auth: {keys: [{name: a, sha256: \"${SECRET}\"}]}\n"), "7:33",
               "64 hexadecimal digits and not the key itself"},
        Broken{"KeyWithoutHash", with("auth: {keys: [{name: a}]}\n"), "7:15", "auth.keys[0].sha256: is missing"},
        Broken{"KeyWithoutName", with("auth: {keys: [{sha256: " + hash + "}]}\n"), "7:15",
               "auth.keys[0].name: is missing"},
        Broken{"BlankInName", with("auth: {keys: [{name: a b, sha256: " + hash + "}]}\n"), "7:22",
               "the name of a key holds letters"},
        Broken{"SameHash",
               with("auth:\n  keys:\n  - {name: a, sha256: " + hash + "}\n  - {name: b, sha256: " + hash + "}\n"),
               "10:5", "the same key stands in line 9"},
        Broken{"SameName",
               with("auth:\n  keys:\n  - {name: a, sha256: " + hash +
                    "}\n  - {name: a, sha256: " + std::string(64, 'b') + "}\n"),
               "10:5", "the name 'a' is taken by the key in line 9"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Backends, BrokenConfig,
    ::testing::Values(
        Broken{"NoDialect", backend("    models: {m: {}}\n"), "4:5", "backends.b.dialect: is missing"},
        Broken{"UnknownDialect", backend("    dialect: opnai\n    models: {m: {}}\n"), "4:14",
               "did you mean 'openai'?"},
        Broken{"NoModels", backend("    dialect: openai\n"), "4:5", "backends.b.models: is missing"},
        Broken{"EmptyModels", backend("    dialect: openai\n    models: {}\n"), "5:13", "names no model"},
        Broken{"SlashInName", "version: 1\nbackends:\n  a/b: {dialect: openai, models: {m: {}}}\n", "3:8",
               "the name of a backend holds letters"},
        Broken{"ReservedName", "version: 1\nbackends:\n  other: {dialect: openai, models: {m: {}}}\n", "3:10",
               "is the gateway's own"},
        Broken{"TwiceTheSame", backend("    dialect: openai\n    models: {m: {}}\n  b: {}\n"), "6:3",
               "backends.b: stands here a second time (first in line 3)"},
        Broken{"VllmWithoutUrl", backend("    dialect: vllm\n    models: {m: {}}\n"), "4:5",
               "url is missing; say where the engine is"},
        Broken{"UrlAndSimulated",
               backend("    dialect: vllm\n    url: http://a\n    simulated: {}\n    models: {m: {}}\n"), "5:10",
               "a simulated backend has no url"},
        Broken{"UrlWithoutScheme", backend("    dialect: vllm\n    url: gpu-a:8000\n    models: {m: {}}\n"), "5:10",
               "begins with http:// or https://"},
        Broken{"PasswordInUrl", backend("    dialect: vllm\n    url: http://u:${SECRET}@a\n    models: {m: {}}\n"),
               "5:10", "put the credential into api_key"},
        Broken{"EmptyKey", backend("    dialect: openai\n    api_key: \"\"\n    models: {m: {}}\n"), "5:14",
               "api_key: is empty; write a value or remove the key"},
        Broken{"KeyFromEmptyVariable", backend("    dialect: openai\n    api_key: ${EMPTY}\n    models: {m: {}}\n"),
               "5:14", "is empty after its variables were put in"},
        Broken{"KeyFromUnsetVariable",
               backend("    dialect: openai\n    api_key: ${OPENAI_API_KEY}\n    models: {m: {}}\n"), "5:14",
               "the variable OPENAI_API_KEY is not set"},
        Broken{"BracesForgotten", backend("    dialect: openai\n    api_key: $KEY\n    models: {m: {}}\n"), "5:14",
               "'$' must be followed by '{'"},
        Broken{"BlankInKey", backend("    dialect: openai\n    api_key: \"Bearer ${SECRET}\"\n    models: {m: {}}\n"),
               "5:14", "no blanks"},
        Broken{"LineBreakInUpstream", backend("    dialect: openai\n    models: {m: {upstream: \"a\\nb\"}}\n"), "5:28",
               "holds a line break"},
        Broken{"TwoKeys", backend("    dialect: openai\n    api_key: a\n    api_key_file: b\n    models: {m: {}}\n"),
               "6:19", "keep one of the two"},
        Broken{"NoKeyFile", backend("    dialect: openai\n    api_key_file: /nowhere/key\n    models: {m: {}}\n"),
               "5:19", "cannot be opened"},
        Broken{"TrustAsLabel", backend("    dialect: openai\n    labels: {trust: internal}\n    models: {m: {}}\n"),
               "5:21", "move it one level up"},
        Broken{"UnknownTimeout", backend("    dialect: openai\n    timeouts: {connect: 1}\n    models: {m: {}}\n"),
               "5:16", "did you mean 'connect_seconds'?"},
        Broken{"UnknownTransport", backend("    dialect: openai\n    transport: native\n    models: {m: {}}\n"), "5:16",
               "known: auto, curl"},
        Broken{"NoSlots", backend("    dialect: openai\n    simulated: {slots: 0}\n    models: {m: {}}\n"), "5:24",
               "it goes from 1 to 4096"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Pools, BrokenConfig,
    ::testing::Values(
        Broken{"OtherBilling", pool("billing: leased, gpus: 1, usd_per_gpu_hour: 1"), "7:21",
               "dedicated, owned"},
        Broken{"OwnedWithoutLife", pool("billing: owned, gpus: 1, purchase_usd: 1"), "7:11", "pool.life_years: is missing"},
        Broken{"OwnedGainsValue", pool("billing: owned, gpus: 1, purchase_usd: 1, residual_usd: 2, life_years: 3"), "7:68", "is more than purchase_usd"},
        Broken{"PowerWithoutPrice", pool("billing: owned, gpus: 1, purchase_usd: 1, life_years: 3, power_kw: 2"), "7:11", "write both, or none"},
        Broken{"RentOfOwnedHardware", pool("billing: owned, gpus: 1, purchase_usd: 1, life_years: 3, usd_per_gpu_hour: 1"), "7:69", "unknown key"},
        Broken{"EnginePathWithoutSlash", backend("    dialect: vllm\n    url: http://gpu\n    models: {m: {}}\n    engine: {path: metrics}\n"), "7:20",
               "begins with a slash"},
        Broken{"EngineTimingsOfAnApi", backend("    dialect: openai\n    models: {m: {}}\n    engine: {per_request_metrics: true}\n"), "6:35",
               "only engines of the dialect vllm"},
        Broken{"EngineAskedTooOften", backend("    dialect: vllm\n    url: http://gpu\n    models: {m: {}}\n    engine: {interval_seconds: 0}\n"), "7:32", "interval_seconds"},
        Broken{"NoGpus", pool("billing: dedicated, usd_per_gpu_hour: 1"), "7:11", "pool.gpus: is missing"},
        Broken{"NegativePrice", pool("billing: dedicated, gpus: 1, usd_per_gpu_hour: -1"), "7:59",
               "it goes from 0 to 10000"},
        Broken{"Exponent", pool("billing: dedicated, gpus: 1, usd_per_gpu_hour: 1e3"), "7:59",
               "character 2 is 'e': exponents are not accepted"},
        Broken{"FreePool", pool("billing: dedicated, gpus: 1, usd_per_gpu_hour: 0"), "7:11", "the pool costs nothing"},
        Broken{"ReplicasOfServerless", pool("billing: serverless, gpus: 1, usd_per_gpu_second: 1, replicas: 2"), "7:65", "unknown key"},
        Broken{"ServerlessByTheHour", pool("billing: serverless, gpus: 1, usd_per_gpu_hour: 1"), "7:11", "pool.usd_per_gpu_second: is missing"},
        Broken{"NoIncrement", pool("billing: serverless, gpus: 1, usd_per_gpu_second: 1, increment_seconds: 0"), "7:84", "0.001"},
        Broken{"ReportedWithoutPlace", pool("billing: reported, gpus: 1, usd_per_gpu_second: 1"), "7:11", "pool.billed_seconds: is missing"},
        Broken{"ReportedInTwoPlaces", pool("billing: reported, gpus: 1, usd_per_gpu_second: 1, billed_seconds: {header: a, json: b}"), "7:79", "one of the two"},
        Broken{"NoHeaderName", pool("billing: reported, gpus: 1, usd_per_gpu_second: 1, billed_seconds: {header: \"a b\"}"), "7:88", "no name of a header"},
        Broken{"NoPath", pool("billing: reported, gpus: 1, usd_per_gpu_second: 1, billed_seconds: {json: a..b}"), "7:86", "metrics.predict_time"},
        Broken{"WeightsByHalf", pool("billing: dedicated, gpus: 1, usd_per_gpu_hour: 1, prefill_tokens_per_second: 9"), "7:11", "or none of them"},
        Broken{"TokensWithoutSpeeds", pool("billing: dedicated, gpus: 1, usd_per_gpu_hour: 1, attribution: tokens"), "7:75", "needs prefill_tokens_per_second"},
        Broken{"RidiculouslyDear", pool("billing: dedicated, gpus: 10000, usd_per_gpu_hour: 10000"), "7:11", "a million USD an hour"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Models, BrokenConfig,
    ::testing::Values(
        Broken{"CapabilityPastOne", model("capability: 2"), "6:23", "it goes from 0 to 1"},
        Broken{"UnknownSurface", model("serves: [chat, embedings]"), "6:26", "did you mean 'embeddings'?"},
        Broken{"ServesNothing", model("serves: []"), "6:19", "the list is empty"},
        Broken{"OutputPastContext", model("context_tokens: 10, output_tokens_max: 20"), "6:50",
               "is larger than context_tokens"},
        Broken{"NoOutputPrice", model("prices: {input_usd_per_million_tokens: 1}"), "6:19",
               "output_usd_per_million_tokens: is missing"},
        Broken{"PriceWithComma",
               model("prices: {input_usd_per_million_tokens: \"1,5\", output_usd_per_million_tokens: 1}"), "6:50",
               "use a point for decimals"},
        Broken{"PricePerToken",
               model("prices: {input_usd_per_million_tokens: 0.00000000015, output_usd_per_million_tokens: 1}"), "6:50",
               "more than 9 decimals"},
        Broken{"PriceTooHigh",
               model("prices: {input_usd_per_million_tokens: 200000, output_usd_per_million_tokens: 1}"), "6:50",
               "it goes from 0 to 100000"},
        Broken{"UnknownPrice",
               model("prices: {input_usd_per_million_tokens: 1, output_usd_per_million_tokens: 1, cached: 1}"), "6:87",
               "did you mean 'cached_input_usd_per_million_tokens'?"},
        Broken{
            "PricesAndPool",
            backend(
                "    dialect: vllm\n    url: http://gpu\n    pool: {billing: dedicated, gpus: 1, usd_per_gpu_hour: 1}\n"
                "    models: {m: {prices: {input_usd_per_million_tokens: 1, output_usd_per_million_tokens: 1}}}\n"),
            "7:26", "billed by its hardware"},
        Broken{"BlankInModel", backend("    dialect: openai\n    models: {a b: {}}\n"), "5:19",
               "what the backend calls it goes into upstream"}),
    name_of_case);

/// Baselines begin in line 7, their first item in line 8 at column 5.
std::string baseline(const std::string& inside) { return with("baselines:\n  - {" + inside + "}\n"); }

INSTANTIATE_TEST_SUITE_P(
    Baselines, BrokenConfig,
    ::testing::Values(
        Broken{"NoReference", baseline("name: a"), "8:5", "either target (backend/model) or cheapest_of"},
        Broken{"TwoReferences", baseline("name: a, target: home/llama, cheapest_of: [home/llama]"), "8:5",
               "either target"},
        Broken{"NoSuchTarget", baseline("name: a, target: home/lama"), "8:23", "did you mean 'home/llama'?"},
        Broken{"NoTargets", baseline("name: a, cheapest_of: []"), "8:28", "name at least one target"},
        Broken{"NoName", baseline("target: home/llama"), "8:5", "name"},
        Broken{"NameTaken", with("baselines:\n  - {name: a, target: home/llama}\n  - {name: a, target: home/llama}\n"),
               "9:12", "the baseline in line 8 has this name"},
        Broken{"IllegalName", baseline("name: other, target: home/llama"), "8:12", "the gateway's own"},
        Broken{"KeepDays", with("ledger: {keep_days: -1}\n"), "7:21", "0 to 36500"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Routes, BrokenConfig,
    ::testing::Values(
        Broken{"Dangling", route("among: [home/lama]"), "8:23", "there is no such target, did you mean 'home/llama'?"},
        Broken{"PatternOfNothing", route("among: [away/*]"), "8:23", "no target fits this pattern"},
        Broken{"AmongNothing", route("among: []"), "8:22", "the list is empty"},
        Broken{"NoName", with("routes:\n  - {when: {model: auto}}\n"), "8:5", "routes[0].name: is missing"},
        Broken{"NameTwice", with("routes:\n  - {name: r}\n  - {name: r}\n"), "9:12",
               "the route in line 8 has this name"},
        Broken{"NoRoutes", with("routes: []\n"), "7:9", "to get the route 'auto'"},
        Broken{"UnknownChoice", route("choose: cheap"), "8:23", "did you mean 'cheapest'?"},
        Broken{"UnknownBasis", route("cost_basis: total"), "8:27", "known: marginal, loaded"},
        Broken{"UnknownCondition", route("when: {modle: auto}"), "8:22", "did you mean 'model'?"},
        Broken{"LowerCaseTier", route("when: {tier: simple}"), "8:28", "did you mean 'SIMPLE'?"},
        Broken{"EmptyBand", route("when: {complexity: {from: 0.5, below: 0.5}}"), "8:34",
               "from must be less than below"},
        Broken{"BandWithoutEnds", route("when: {input_tokens: {}}"), "8:36", "needs from, below or both"},
        Broken{"UnknownTeam", route("when: {team: web}"), "8:28", "no entry of auth.keys has this name"},
        Broken{"HeaderTwice", route("when: {header: {X-A: b, x-a: c}}"), "8:44", "the same header stands here twice"},
        Broken{"BadHeader", route("when: {header: {\"x a\": b}}"), "8:38", "this is not the name of a header"},
        Broken{"AnyAndOne", route("when: {header: {x-a: [\"*\", b]}}"), "8:36", "'*' means any value"},
        Broken{"ModelIsTarget", route("when: {model: home/llama}"), "8:5", "names the target 'home/llama'"},
        Broken{"ReservedRoute", with("routes:\n  - {name: direct}\n"), "8:12",
               "the name 'direct' is the gateway's own"}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Constraints, BrokenConfig,
    ::testing::Values(
        Broken{"RequiresNothing", with("constraints:\n  - {name: c, require: {}}\n"), "8:24", "requires nothing"},
        Broken{"NoRequire", with("constraints:\n  - {name: c}\n"), "8:5", "constraints[0].require: is missing"},
        Broken{"UnknownTrust", with("constraints:\n  - {name: c, require: {trust: intern}}\n"), "8:32",
               "did you mean 'internal'?"},
        Broken{"UnknownLabel", with("constraints:\n  - {name: c, require: {region: eu}}\n"), "8:5",
               "no backend has the label 'region'"},
        Broken{"MisspeltWhen", with("constraints:\n  - {name: c, whn: {}, require: {trust: internal}}\n"), "8:15",
               "did you mean 'when'?"},
        Broken{"PublicInAirGap", backend("    dialect: openai\n    models: {m: {}}\nair_gap: true\n"), "4:5",
               "the address is not private"}),
    name_of_case);

}  // namespace
}  // namespace tollgate
