#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "backends/inbound.hpp"
#include "config/config.hpp"
#include "gateway/cli/commands.hpp"
#include "gateway/cli/explain_state.hpp"
#include "gateway/cli/time_spec.hpp"
#include "gateway/parse_chat.hpp"
#include "router/complexity.hpp"
#include "router/explain.hpp"
#include "router/scoring.hpp"
#include "router/screening.hpp"

namespace tollgate::cli {

namespace {

std::optional<std::string> read_all(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string body_of_prompt(const ExplainOptions& options) {
  return nlohmann::json{{"model", options.model}, {"messages", {{{"role", "user"}, {"content", options.prompt}}}}}.dump();
}

/// A body in another protocol than OpenAI's becomes the chat completion that the gateway would make of it. Returns the text that is screened.
Result<std::string> as_chat(std::string& body, std::size_t nesting_max) {
  const ClientForm form = guess_form(body);
  if (form == ClientForm::openai) return body;
  TOLLGATE_TRY(const InboundRequest request, read_inbound(form, body, nesting_max));
  TOLLGATE_TRY(InboundChat chat, request.chat(routing_flavour));
  body = std::move(chat.body);
  return request.screened();
}

/// What the model saw of a request: each term's value, by name.
void print_terms(const ChatView& chat, const Model& model) {
  nlohmann::ordered_json terms = nlohmann::ordered_json::object();
  const Features features = features_of(chat);
  for (const Part& part : model.parts(terms_of(features), features.lexical)) {
    terms[std::string(part.name)] = std::round(static_cast<double>(part.value) * 1e5) / 1e5;
  }
  std::printf(",\"terms\":%s", terms.dump().c_str());
}

}  // namespace

// The decision as the gateway would make it with every target up and idle, or as --state says; nothing is sent.
int explain(const ExplainOptions& options) {
  const Result<ConfigPtr> config = load_file(options.config, process_environment());
  if (!config) {
    print_error(config.error().message);
    return exit_code_of(config.error());
  }
  std::optional<std::string> body = options.file.empty() ? body_of_prompt(options) : read_all(options.file);
  if (!body) {
    print_error("cannot read '" + options.file + "'");
    return io_failure;
  }
  const Result<std::string> screened = as_chat(*body, config.value()->server.nesting_max);
  if (!screened) {
    print_error(screened.error().message);
    return finding;
  }
  body->reserve(body->size() + ChatParser::padding);
  ChatView chat;
  ClientBody map;
  ChatParser parser(config.value()->server.nesting_max);
  if (const Result<void> parsed = parser.parse(*body, Surface::chat, chat, map); !parsed) {
    print_error(parsed.error().message);
    return finding;
  }
  std::vector<HeaderField> headers;
  for (const std::string& line : options.headers) {
    const std::string_view view(line);
    const std::size_t colon = view.find(':');
    if (colon == std::string_view::npos) {
      print_error("--header takes 'name: value', not '" + line + "'");
      return usage;
    }
    std::string_view value = view.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    headers.push_back({view.substr(0, colon), value});
  }
  const Result<Scoring> scoring = scoring_of(*config.value());
  if (!scoring) {
    print_error(scoring.error().message);
    return exit_code_of(scoring.error());
  }
  const Complexity complexity = classify(chat, config.value()->tiers, scoring.value()).complexity;
  const Screening screening(chat, screened.value());
  RequestFacts facts{&chat, complexity, headers, Names::global().intern(options.team), NameId::none, &screening};
  const std::int64_t now_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const Result<std::int64_t> at = parse_time(options.at, now_us);
  const Result<AssumedState> assumed = read_states(options.states, *config.value());
  if (!at || !assumed) {
    print_error(!at ? "--at: " + at.error().message : assumed.error().message);
    return usage;
  }
  facts.arrived_us = at.value();
  facts.dice = options.draw;
  facts.conversation = assumed.value().conversation;
  const Result<Plan> plan = decide(facts, *config.value(), assumed.value().targets);
  std::printf("%s\n", (options.json ? explain_json(facts, *config.value(), plan, *scoring.value().model) : explain_text(facts, *config.value(), plan, *scoring.value().model)).c_str());
  return plan ? ok : finding;
}

int classify(const ClassifyOptions& options) {
  TierBounds bounds;
  Scoring scoring;
  if (!options.config.empty()) {
    const Result<ConfigPtr> config = load_file(options.config, process_environment());
    if (!config) {
      print_error(config.error().message);
      return exit_code_of(config.error());
    }
    bounds = config.value()->tiers;
    Result<Scoring> read = scoring_of(*config.value());
    if (!read) {
      print_error(read.error().message);
      return exit_code_of(read.error());
    }
    scoring = std::move(read.value());
  }
  constexpr std::size_t nesting_max = 256;
  ChatParser parser(nesting_max);
  std::size_t number = 0, failed = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    if (line.empty()) continue;
    const nlohmann::json parsed_line = nlohmann::json::parse(line, nullptr, false);
    const nlohmann::json id = parsed_line.is_object() && parsed_line.contains("id") ? parsed_line["id"] : nlohmann::json(number);
    nlohmann::json request = parsed_line;
    if (request.is_object() && !request.contains("model")) request["model"] = "auto";
    std::string body = request.is_discarded() ? line : request.dump();
    if (const Result<std::string> translated = as_chat(body, nesting_max); !translated) {
      std::fprintf(stderr, "line %zu: %s\n", number, translated.error().message.c_str());
      ++failed;
      continue;
    }
    body.reserve(body.size() + ChatParser::padding);
    ChatView chat;
    ClientBody map;
    const auto began = std::chrono::steady_clock::now();
    const Result<void> parsed = parser.parse(body, Surface::chat, chat, map);
    if (!parsed) {
      std::fprintf(stderr, "line %zu: %s\n", number, parsed.error().message.c_str());
      ++failed;
      continue;
    }
    const Complexity complexity = tollgate::classify(chat, bounds, scoring).complexity;
    const auto micros = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - began).count();
    std::printf("{\"id\":%s,\"score\":%.6f,\"tier\":\"%s\",\"micros\":%.2f", id.dump().c_str(), static_cast<double>(complexity.score),
                std::string(name_of(complexity.tier)).c_str(), micros);
    if (options.terms) print_terms(chat, *scoring.model);
    std::printf("}\n");
  }
  return failed == 0 ? ok : finding;
}

}  // namespace tollgate::cli
