#pragma once
// What makes two requests the same one for the response cache: everything that can change the answer. Pure.
//
//    const std::optional<CacheKey> key = cache_key(asked, body);      // nullopt: the body cannot be read
//
// The body counts member by member, in whatever order they stand, each value byte for byte. Left out are only members that no answer
// depends on or repeats: of OpenAI's bodies user, metadata, store, prompt_cache_key, prompt_cache_retention and safety_identifier, and of a
// whole answer's stream_options and usage (usage.cost is put into a cached answer as into any other); of Messages' metadata; of
// Responses' none, because a Response repeats what it was asked with.

#include <optional>
#include <string_view>

#include "backends/inbound.hpp"
#include "config/sha256.hpp"
#include "config/config.hpp"

namespace tollgate {

struct CacheAsked {
  ClientForm form = ClientForm::openai;
  Surface surface = Surface::chat;
  bool stream = false;                   ///< a stream and a whole answer are two things
  bool wants_cost = false;               ///< of a stream: whether it has an event with the usage may hang on it
  NameId team{}, route{};
  NameId key{};                          ///< none: shared by the keys of the team
  std::string_view beta;                 ///< the header anthropic-beta, which goes to the provider
};

struct CacheKey {
  Sha256 hash{};
  bool deterministic = false;            ///< temperature is 0
};

/// `body` in the client's form. Copies it; costs its SHA-256.
[[nodiscard]] std::optional<CacheKey> cache_key(const CacheAsked& asked, std::string_view body);

}  // namespace tollgate
