#pragma once
// What stands in a request's text: personal data, secrets, keywords. Reads every string and every long number of the
// whole body (messages, tool results, tool calls, tools, names, metadata), and only when a condition asks; the answer is kept, so that
// constraints can be asked again before every attempt, also when the body is gone.
//
//    const Screening screening(chat, body);      // looks at nothing yet
//    facts.screening = &screening;               // matches() asks
//    screening.forget_text();                    // the body goes; what was never asked counts as found from here on
//
// What cannot be read (prompts as token numbers, files in base64, a text already gone) counts as holding everything:
// constraints fail closed. Pictures and sound are no text. One thread.

#include <boost/container/small_vector.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "router/chat_view.hpp"
#include "router/pii.hpp"

namespace tollgate {

class Screening {
 public:
  /// `body` is the request as it came; with "", only the texts of `chat` are read.
  Screening(const ChatView& chat, std::string_view body);

  [[nodiscard]] PiiKinds kinds() const;
  [[nodiscard]] bool mentions(const Keywords& keywords) const;
  /// False: a part of the request is not text that could be read. Files are noticed when the text is read.
  [[nodiscard]] bool readable() const noexcept { return readable_; }
  void forget_text() noexcept;
  // What was found so far; nullopt: nobody asked.
  [[nodiscard]] std::optional<PiiKinds> known_kinds() const noexcept { return screened_ || !readable_ ? std::optional(kinds()) : std::nullopt; }
  [[nodiscard]] std::optional<bool> known_to_mention(const Keywords& keywords) const noexcept;

 private:
  template <class Use>
  void each_text(Use&& use) const;

  const ChatView* chat_;
  std::string_view body_;
  bool has_text_ = true;
  mutable bool readable_ = true, screened_ = false;
  mutable PiiKinds kinds_;
  mutable boost::container::small_vector<std::pair<const Keywords*, bool>, 2> asked_;
};

/// What the inside of a JSON string is.
enum class StringIs : std::uint8_t {
  text,
  media,  ///< a picture's, a sound's or a film's `data:` URL and nothing else: nothing can be read in it
  file    ///< a document in base64, as a `data:` URL or bare: text that this program does not read
};
[[nodiscard]] StringIs kind_of_string(std::string_view inside) noexcept;

}  // namespace tollgate
