#include "backends/simulator/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>

#include "backends/simulator/faults.hpp"
#include "config/dialects.hpp"

namespace tollgate::simulator {
namespace {

constexpr const char* description = R"(A simulated LLM engine with a clock, served over real HTTP.

It queues, prefills and decodes at speeds that fall with load, counts what it does, and stops at once when a client leaves.
The same prompt and seed give the same answer.)";

std::string footer() {
  return std::string(
             R"(Endpoints: POST /v1/chat/completions /v1/completions /v1/embeddings (or what the personality serves instead); GET /v1/models /health /version,
/metrics (vllm only), and /sim/requests[?id=X-REQUEST-ID]: the engine's own truth of a request.

)") + std::string(fault_grammar()) +
         R"(

Examples:
  tollgate sim                                          a vLLM-like engine on a free port
  tollgate sim --listen 127.0.0.1:8000 --model llama-70b --slots 32 --decode-tps-total 1500
  tollgate sim --personality openai --api-key secret    a managed API
  tollgate sim --time-scale 20 --fault status=503 --fault-share 0.05
  curl -N URL/v1/chat/completions -H 'content-type: application/json' \
    -d '{"model":"simulated-model","stream":true,"messages":[{"role":"user","content":"Hello [[sim-tokens: 20]]"}]}')";
}

/// "host:port", "[v6]:port" or ":port".
Result<void> read_listen(const std::string& text, Options& options) {
  const std::size_t colon = text.rfind(':');
  const std::string wrong = "--listen: \"" + text + "\" is not HOST:PORT, as in 127.0.0.1:8000 or [::1]:0";
  if (colon == std::string::npos) return fail(Fault::bad_request, wrong, "listen");
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos)
    return fail(Fault::bad_request, wrong, "listen");
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size())
    return fail(Fault::bad_request, wrong, "listen");
  if (!host.empty()) options.host = host;
  return success();
}

MetricNames names_of(std::string_view word) noexcept {
  constexpr std::pair<std::string_view, MetricNames> known[] = {
      {"vllm-old", MetricNames::vllm_old}, {"sglang", MetricNames::sglang}, {"llamacpp", MetricNames::llamacpp},
      {"tgi", MetricNames::tgi},           {"trtllm", MetricNames::trtllm}};
  for (const auto& [name, names] : known)
    if (name == word) return names;
  return MetricNames::vllm;
}

/// A range that errors speak of, but help does not: its columns stay readable.
template <class Number>
CLI::Validator within(Number min, Number max) {
  return CLI::Range(min, max).description("");
}

void add_engine_flags(CLI::App& app, Options& options) {
  app.add_option("--slots", options.engine.slots, "Requests running at once")
      ->capture_default_str()
      ->check(within(1U, 1'000'000U));
  app.add_option("--prefill-tps", options.engine.prefill_tokens_per_second,
                 "Prompt tokens per second, all requests together")
      ->capture_default_str()
      ->check(within(1U, 1'000'000'000U));
  app.add_option("--decode-tps", options.engine.decode_tokens_per_second,
                 "Answer tokens per second of one request alone")
      ->capture_default_str()
      ->check(within(1U, 1'000'000'000U));
  app.add_option("--decode-tps-total", options.engine.decode_tokens_per_second_total,
                 "Answer tokens per second, all together")
      ->capture_default_str()
      ->check(within(1U, 1'000'000'000U));
  app.add_option("--output-tokens-mean", options.engine.output_tokens_mean, "Mean length of an answer")
      ->capture_default_str()
      ->check(within(1U, 1'000'000U));
  app.add_option("--context-tokens", options.context_tokens, "Longest prompt and answer together")
      ->capture_default_str()
      ->check(within(std::size_t{16}, std::size_t{100'000'000}));
  app.add_option("--kv-tokens", options.kv_tokens_max, "KV cache; requests wait when it is full")
      ->capture_default_str()
      ->check(within(std::size_t{16}, std::size_t{1'000'000'000'000}));
}

}  // namespace

void declare_command_line(CLI::App& app, CommandLineDraft& draft) {
  Options& options = draft.options;
  app.footer(footer());
  app.add_option("--personality", draft.personality, "Whose behaviour to imitate: vllm, openai, anthropic, gemini, bedrock, replicate, runpod or fal")
      ->capture_default_str()
      ->check(CLI::IsMember({"vllm", "openai", "anthropic", "gemini", "bedrock", "replicate", "runpod", "fal"}).description(""))
      ->type_name("NAME");
  app.add_option("--listen", draft.listen, "Where to listen; port 0 is any free one")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  app.add_option("--model", draft.models, "Model name it answers to; repeat it for more (default: simulated-model)")
      ->type_name("NAME");
  add_engine_flags(app, options);
  app.add_option("--metrics-as", draft.names, "Whose names /metrics uses: vllm, vllm-old, sglang, llamacpp, tgi or trtllm")
      ->capture_default_str()
      ->check(CLI::IsMember({"vllm", "vllm-old", "sglang", "llamacpp", "tgi", "trtllm"}).description(""))
      ->type_name("NAME");
  app.add_flag("--no-prefix-cache", draft.no_prefix_cache, "Compute each prompt anew");
  app.add_option("--seed", options.engine.seed, "Another seed, other answers")->capture_default_str();
  app.add_option("--time-scale", options.time_scale, "10: everything ten times as fast")
      ->capture_default_str()
      ->check(within(0.000001, 1'000'000.0));
  app.add_option("--api-key", options.api_key, "Demand this key; it shows in the process list, so use no real one")
      ->type_name("KEY");
  app.add_option("--fault", options.faults.text, "How answers misbehave; see below")->type_name("FAULTS");
  app.add_option("--fault-share", options.faults.share, "Share of the requests that do, from 0 to 1")
      ->capture_default_str()
      ->check(within(0.0, 1.0));
  app.add_flag("--no-announce", draft.anonymous, "Leave out the marks of a simulation (x-simulated, system_fingerprint)");
  app.add_flag("--json", draft.json, "Print the ready line as JSON");
}

Result<CommandLine> parse_command_line(int argc, const char* const* argv) {
  CommandLineDraft draft;
  CLI::App app(description, "tollgate sim");
  declare_command_line(app, draft);
  CommandLine line;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    line.help = app.help();
    return line;
  } catch (const CLI::ParseError& error) {
    return fail(Fault::bad_request, error.what());
  }
  line.options = std::move(draft.options);
  line.json = draft.json;
  Options& options = line.options;
  TOLLGATE_TRY(read_listen(draft.listen, options));
  TOLLGATE_TRY(parse_faults(options.faults.text));
  if (!draft.models.empty()) {
    options.model = draft.models.front();
    options.more_models.assign(draft.models.begin() + 1, draft.models.end());
  }
  for (const DialectFacts& facts : all_dialects()) {
    if (facts.name == draft.personality) options.engine.personality = facts.dialect;
  }
  options.metric_names = names_of(draft.names);
  options.prefix_cache = !draft.no_prefix_cache;
  options.announce_simulated = !draft.anonymous;
  return line;
}

}  // namespace tollgate::simulator
