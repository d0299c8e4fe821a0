#pragma once
// A request that is passed through, as far as its exchange must keep it (gateway/pass_through.cpp, gateway/pass_relay.cpp).

#include <optional>
#include <string>

#include "backends/backends.hpp"
#include "gateway/form.hpp"
#include "gateway/passed.hpp"
#include "gateway/spool.hpp"

namespace tollgate {

struct PassedRequest {
  explicit PassedRequest(const PassedPlace& at) : place(at) {}

  PassedPlace place;
  std::unique_ptr<Spool> spool;              // of a form; JSON is in Exchange::body_
  std::string_view body;                     // of either
  std::string delimiter;                     // of a form: "\r\n--boundary"
  std::size_t model_at = 0, model_bytes = 0; // what stands in the body for the model, quotes included; 0: it names none
  std::size_t put_at = 0;                    // where a model can be put in
  std::string path;                          // of the attempt under way
  std::string snippet;                       // what it puts into the body
  std::vector<std::pair<std::string, std::string>> headers;
  AnswerHead answer;                         // of that attempt
  PassedUsageScan scan;
  std::string held;                          // of a stream: the beginning of an event whose end has not come
  bool chunked = false;                      // the answer goes out in chunks
};

}  // namespace tollgate
