#pragma once
// What routing may look at of a request: views into its body, made by one JSON pass (gateway/parse_chat.cpp). Nothing is copied;
// everything is valid as long as the body. Text is the inside of a JSON string as it stood on the wire, escapes and all:
// readers must expect `\n`, `\"`, `\u00e4` (router/features.cpp does).

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

enum class Role : std::uint8_t { system, user, assistant, tool, other };

struct TextPart {
  Role role;
  std::uint16_t message;        ///< index of the message it belongs to (saturates)
  std::string_view raw;         ///< still escaped
};

struct ChatView {
  std::string_view model;                                  ///< as asked for, unescaped
  std::string unescaped_model;                             ///< holds it if it was written with escapes; do not copy a ChatView then
  boost::container::small_vector<TextPart, 6> texts;       ///< in order; for completions and embeddings the prompts, as Role::user
  std::uint32_t messages = 0;
  std::uint32_t user_messages = 0;
  std::uint32_t tools = 0;                                 ///< offered
  std::uint32_t tool_calls = 0, tool_results = 0;          ///< in the conversation
  std::uint32_t images = 0, audio = 0;
  std::uint64_t text_bytes = 0;                            ///< sum of raw sizes of texts
  std::uint64_t tool_bytes = 0;                            ///< of the declarations of tools, as they stand: names, descriptions, schemas
  std::optional<std::int64_t> output_tokens_max;           ///< max_completion_tokens or max_tokens
  std::int64_t choices = 1;                                ///< n
  std::string_view service_tier;                           ///< as asked for, raw; "": not
  std::uint64_t characters = 0;                            ///< of what is to be spoken
  std::uint64_t sound_bytes = 0;                           ///< of what is to be transcribed
  std::string_view image_size, image_quality;              ///< of pictures to be made; "": the request does not say
  bool stream = false;
  bool json_output = false;                                ///< response_format is json_object or json_schema
  bool json_schema = false;
  std::string_view response_schema;                        ///< response_format.json_schema.schema as it stands in the body, JSON; "": none
  std::string_view user, prompt_cache_key;                 ///< unescaped; "": not given
  struct Member {
    std::string_view name, value;                          ///< unescaped
  };
  boost::container::small_vector<Member, 2> metadata;      ///< members of `metadata` that are strings
  std::forward_list<std::string> unescaped;                ///< holds those of the above that were written with escapes
  Surface surface = Surface::chat;

  /// What the target reads of it as text.
  [[nodiscard]] std::uint64_t input_bytes() const noexcept { return text_bytes + tool_bytes; }
};

}  // namespace tollgate
