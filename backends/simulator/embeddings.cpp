#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "backends/simulator/tokens.hpp"
#include "backends/simulator/wire.hpp"

namespace tollgate::simulator {
namespace {

constexpr unsigned places_per_token = 8;  // each token pulls the vector in so many directions

std::string base64_of(const std::vector<float>& vector) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  bytes.reserve(vector.size() * 4);
  for (const float number : vector) {  // little endian on every machine
    std::uint32_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((bits >> shift) & 255U);
  }
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= have ? alphabet[group >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

}  // namespace

std::vector<float> embed(const Prompt& prompt, std::uint32_t dimensions) {
  std::vector<float> vector(dimensions, 0.0F);
  const auto pull = [&vector, dimensions](std::uint64_t hash) {
    Random random(hash);
    for (unsigned i = 0; i < places_per_token; ++i) {
      const std::uint64_t draw = random.next();
      vector[draw % dimensions] += (draw >> 63) != 0 ? 1.0F : -1.0F;
    }
  };
  const std::string_view text = prompt.text;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = token_length(text, at);
    std::string_view token = text.substr(at, length);
    if (token.size() > 1 && token.front() == ' ') token.remove_prefix(1);  // a word is the same at the start of a text
    pull(hash_text(token));
    at += length;
  }
  if (text.empty()) pull(prompt.hash);
  double squares = 0;
  for (const float number : vector) squares += static_cast<double>(number) * static_cast<double>(number);
  if (squares == 0) {  // all pulls cancelled out
    vector[0] = 1.0F;
    squares = 1;
  }
  for (float& number : vector) number = static_cast<float>(number / std::sqrt(squares));
  return vector;
}

std::string embeddings_body(const Ask& ask, std::uint32_t dimensions, const std::string& usage_object) {
  nlohmann::ordered_json body{{"object", "list"}, {"data", nlohmann::ordered_json::array()}, {"model", ask.model}};
  for (std::size_t i = 0; i < ask.prompts.size(); ++i) {
    const std::vector<float> vector = embed(ask.prompts[i], dimensions);
    nlohmann::ordered_json entry{{"object", "embedding"}, {"index", i}};
    if (ask.base64) {
      entry["embedding"] = base64_of(vector);
    } else {
      entry["embedding"] = vector;
    }
    body["data"].push_back(std::move(entry));
  }
  if (!usage_object.empty()) body["usage"] = nlohmann::ordered_json::parse(usage_object);
  return body.dump();
}

}  // namespace tollgate::simulator
