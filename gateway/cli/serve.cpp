#include <unistd.h>

#include <cstdio>

#include "gateway/cli/commands.hpp"
#include "gateway/gateway.hpp"
#include "gateway/log.hpp"

namespace tollgate::cli {

namespace {

void announce(const Gateway::Addresses& at) {
  std::printf("data   %s\nadmin  %s\n", at.data_url.c_str(), at.admin_url.c_str());
  for (const auto& [backend, url] : at.simulated) std::printf("simulated %s %s\n", backend.c_str(), url.c_str());
  const std::string model = at.models.empty() ? "auto" : at.models.front();
  const char* const key = at.needs_key ? "$TOLLGATE_KEY" : "none";
  const std::string authorization = at.needs_key ? " \\\n    -H \"Authorization: Bearer $TOLLGATE_KEY\"" : "";
  std::printf(
      "\nTry it:\n"
      "  curl -i %s/v1/chat/completions -H 'content-type: application/json'%s \\\n"
      "    -d '{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"What is the capital of France?\"}]}'\n\n"
      "  from openai import OpenAI\n"
      "  client = OpenAI(base_url=\"%s/v1\", api_key=\"%s\")\n"
      "  print(client.chat.completions.create(model=\"%s\", messages=[{\"role\": \"user\", \"content\": \"Hello\"}]).choices[0].message.content)\n\n"
      "Live page: %s/\nCosts and counters: %s/metrics\n",
      at.data_url.c_str(), authorization.c_str(), model.c_str(), at.data_url.c_str(), key, model.c_str(), at.admin_url.c_str(), at.admin_url.c_str());
  if (!at.simulated.empty()) std::printf("Backends marked simulated are fake engines inside this process: their answers mean nothing, their clocks and bills are worked out in full.\n");
  std::fflush(stdout);
}

}  // namespace

int serve(const ServeOptions& options) {
  Gateway gateway(options.config);
  const Result<void> started = gateway.start();
  if (!started) {
    flush_log();
    print_error(started.error().message);
    return exit_code_of(started.error());
  }
  announce(gateway.addresses());
  const int code = gateway.wait();
  flush_log();
  return code;
}

}  // namespace tollgate::cli
