#include "advice/same_model.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tollgate::advice {
namespace {

/// How a model is served or tuned for chat, and who serves it: of no account.
constexpr std::array neutral = {
    std::string_view("instruct"), std::string_view("instr"), std::string_view("chat"), std::string_view("it"), std::string_view("hf"), std::string_view("turbo"),
    std::string_view("versatile"), std::string_view("instant"), std::string_view("fp8"), std::string_view("fp16"), std::string_view("bf16"), std::string_view("int4"),
    std::string_view("awq"), std::string_view("gptq"), std::string_view("maas"), std::string_view("latest"), std::string_view("meta"), std::string_view("us"),
    std::string_view("eu"), std::string_view("lite"), std::string_view("free"), std::string_view("model"), std::string_view("models"), std::string_view("tput")};

bool all_digits(std::string_view word) { return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; }); }

bool is_size(std::string_view word) {
  if (word.size() < 2 || word.back() != 'b') return false;
  const std::string_view number = word.substr(0, word.size() - 1);
  return std::all_of(number.begin(), number.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.' || c == 'x'; });
}

/// "v3p3" → "3.3", "v0.3" → "0.3"
std::string version_of(std::string word) {
  if (word.size() > 1 && word.front() == 'v' && word[1] >= '0' && word[1] <= '9') word.erase(0, 1);
  for (std::size_t i = 1; i + 1 < word.size(); ++i) {
    if (word[i] == 'p' && all_digits(word.substr(0, i)) && all_digits(word.substr(i + 1))) word[i] = '.';
  }
  return word;
}

}  // namespace

std::vector<std::string> model_words(std::string_view name) {
  std::string text = prices::lower_case(name);
  if (const std::size_t slash = text.rfind('/'); slash != std::string::npos) text.erase(0, slash + 1);
  // Amazon's "us.meta.llama3-3-70b-instruct-v1:0": region and owner before it, the revision of its own offer behind.
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view owner : {"us.", "eu.", "apac.", "meta.", "mistral.", "amazon.", "anthropic.", "deepseek.", "qwen.", "openai."}) {
      if (!text.starts_with(owner)) continue;
      text.erase(0, owner.size());
      stripped = true;
    }
  }
  if (const std::size_t colon = text.find(':'); colon != std::string::npos) {
    const bool revision = all_digits(std::string_view(text).substr(colon + 1));
    text.erase(colon);
    if (const std::size_t mark = text.rfind("-v"); revision && mark != std::string::npos && all_digits(std::string_view(text).substr(mark + 2))) text.erase(mark);
  }
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    word = version_of(word);
    // "llama3.1" is llama 3.1; dates and build numbers tell nothing.
    const std::size_t digit = word.find_first_of("0123456789");
    const bool glued = digit != std::string::npos && digit > 1 && !is_size(word) && word.find_first_not_of("0123456789.", digit) == std::string::npos;
    const auto keep = [&](std::string each) {
      while (each.ends_with('.')) each.pop_back();
      const bool date = all_digits(each) && each.size() >= 4;
      if (!each.empty() && !date && std::find(neutral.begin(), neutral.end(), each) == neutral.end()) words.push_back(std::move(each));
    };
    if (glued) {
      keep(word.substr(0, digit));
      keep(word.substr(digit));
    } else {
      keep(word);
    }
    word.clear();
  };
  for (const char c : text) {
    if (c == '-' || c == '_' || c == ' ' || c == '@') {
      end_word();
    } else {
      word += c;
    }
  }
  end_word();
  // Amazon's ids: "meta.llama3-3-70b-instruct-v1" writes 3.3 as two words.
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const bool version_split = all_digits(words[i]) && words[i].size() == 1 && all_digits(words[i + 1]) && words[i + 1].size() == 1;
    if (!version_split) continue;
    words[i] += "." + words[i + 1];
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

bool is_same_model(std::string_view a, std::string_view b) {
  const std::vector<std::string> words = model_words(a);
  return !words.empty() && words == model_words(b);
}

double billions_of(std::string_view name) {
  for (const std::string& word : model_words(name)) {
    if (!is_size(word)) continue;
    double product = 1;
    const char* at = word.data();
    const char* const end = word.data() + word.size() - 1;
    while (at < end) {   // "8x7b"
      double factor = 0;
      const auto [next, error] = std::from_chars(at, end, factor);
      if (error != std::errc{}) return 0;
      product *= factor;
      at = next < end ? next + 1 : next;
    }
    return product;
  }
  return 0;
}

std::vector<Host> hosts_of(const prices::PriceBook& book, std::string_view model, std::chrono::sys_seconds at) {
  constexpr Int128 per_femtodollar = 1'000'000'000;   // 10^-18 USD per million tokens in a femtodollar per token
  const auto price = [&](const prices::Tariff& tariff, std::string_view kind) -> std::optional<UsdPerToken> {
    const auto unit = prices::unit_of_kind(kind);
    if (!unit) return std::nullopt;
    for (const auto& [each, rate] : tariff.rates) {
      if (each == *unit) return UsdPerToken{static_cast<std::int64_t>(rate.base / per_femtodollar)};
    }
    return std::nullopt;
  };
  std::vector<Host> hosts;
  for (const prices::Provider& provider : book.providers) {
    for (const prices::Model& each : provider.models) {
      if (!is_same_model(each.id, model) || each.tariffs.empty()) continue;
      const prices::Tariff& tariff = each.tariff(at);
      const auto input = price(tariff, "input"), output = price(tariff, "output");
      if (input && output && (input->count() > 0 || output->count() > 0)) hosts.push_back({provider.id, each.id, *input, *output});
    }
  }
  return hosts;
}

}  // namespace tollgate::advice
