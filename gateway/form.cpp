#include "gateway/form.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <cstring>
#include <optional>

namespace tollgate {
namespace {

using boost::beast::iequals;

constexpr std::size_t boundary_bytes_max = 70, head_bytes_max = 8 * 1024;
/// What the gateway reads of a form and the target reads again: it must stand there once.
constexpr std::string_view read_once[] = {"model", "n", "size", "quality", "stream", "user"};

bool is_type(std::string_view content_type, std::string_view wanted) noexcept {
  if (content_type.size() < wanted.size() || !iequals(content_type.substr(0, wanted.size()), wanted)) return false;
  return content_type.size() == wanted.size() || content_type[wanted.size()] == ';' || content_type[wanted.size()] == ' ';
}

/// The value of `name=` in a header's parameters, quoted or not; nullopt: it is not there.
std::optional<std::string_view> parameter(std::string_view header, std::string_view name) noexcept {
  for (std::size_t at = header.find(';'); at != std::string_view::npos;) {
    std::size_t begin = header.find_first_not_of(" \t", at + 1);
    if (begin == std::string_view::npos) return std::nullopt;
    const std::size_t equals = header.find('=', begin);
    if (equals == std::string_view::npos) return std::nullopt;
    const bool is_it = iequals(header.substr(begin, equals - begin), name);
    std::size_t end = 0;
    std::string_view value;
    if (equals + 1 < header.size() && header[equals + 1] == '"') {
      end = equals + 2;
      while (end < header.size() && header[end] != '"') end += header[end] == '\\' ? 2U : 1U;
      end = std::min(end, header.size());
      value = header.substr(equals + 2, end - equals - 2);
    } else {
      end = std::min(header.find(';', equals), header.size());
      value = header.substr(equals + 1, end - equals - 1);
      while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
    }
    if (is_it) return value;
    at = header.find(';', end);
  }
  return std::nullopt;
}

Error broken(std::string_view what) { return fail(Fault::bad_request, "the form is broken: " + std::string(what)); }

/// The lines of a part's head.
Result<FormPart> read_head(std::string_view head) {
  FormPart part;
  bool named = false;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return broken("a part has a line that is no header");
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    if (iequals(line.substr(0, colon), "content-type")) part.content_type = value;
    if (!iequals(line.substr(0, colon), "content-disposition")) continue;
    const auto name = parameter(value, "name");
    if (!name || named) return broken("a part has no name, or two");
    named = true;
    part.name = *name;
    part.is_file = parameter(value, "filename").has_value() || parameter(value, "filename*").has_value();
  }
  if (!named) return broken("a part has no content-disposition");
  return part;
}

}  // namespace

bool is_json(std::string_view content_type) noexcept { return is_type(content_type, "application/json"); }
bool is_form(std::string_view content_type) noexcept { return is_type(content_type, "multipart/form-data"); }

Result<FormReader> FormReader::of(std::string_view content_type) {
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > boundary_bytes_max || boundary->find_first_of("\\\"\r\n") != std::string_view::npos) {
    return fail(Fault::bad_request, "the content-type of a form must name its boundary, of at most 70 characters");
  }
  return FormReader("\r\n--" + std::string(*boundary));
}

// Delimiters that lie across two pieces are found in what is carried over from the first.
void FormReader::feed(std::string_view piece) {
  const auto search = [&](std::string_view text, std::uint64_t begins_at) {
    for (std::size_t at = 0; found_.size() <= parts_max;) {
      const void* const hit = ::memmem(text.data() + at, text.size() - at, delimiter_.data(), delimiter_.size());
      if (hit == nullptr) return;
      at = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
      found_.push_back(begins_at + at);
      at += delimiter_.size();
    }
  };
  // Two bytes are before the body: what is found stands so much later than in it.
  const std::size_t kept = carry_.size(), overlap = delimiter_.size() - 1;
  const std::uint64_t carry_at = seen_ + 2 - kept;
  carry_.append(piece.substr(0, overlap));
  search(carry_, carry_at);
  if (piece.size() > overlap) {
    search(piece, seen_ + 2);
    carry_.assign(piece.substr(piece.size() - overlap));
  } else if (carry_.size() > overlap) {
    carry_.erase(0, carry_.size() - overlap);
  }
  seen_ += piece.size();
}

Result<FormParts> FormReader::parts(std::string_view body) const {
  if (found_.size() > parts_max) return broken("it has more than 128 parts");
  if (found_.empty() || (found_.front() != 0 && found_.front() != 2)) return broken("it does not begin with its boundary");
  FormParts parts;
  for (std::size_t i = 0; i < found_.size(); ++i) {
    std::size_t at = static_cast<std::size_t>(found_[i]) + delimiter_.size() - 2;     // behind the boundary
    const bool last = body.substr(at, 2) == "--";
    if (last) {
      if (i + 1 != found_.size()) return broken("something stands behind its end");
      return parts;
    }
    if (i + 1 == found_.size() || body.substr(at, 2) != "\r\n") break;
    at += 2;
    const auto end = static_cast<std::size_t>(found_[i + 1]) - 2;
    const std::size_t blank = end <= at ? std::string_view::npos : body.substr(0, std::min(end, at + head_bytes_max)).find("\r\n\r\n", at);
    if (blank == std::string_view::npos) return broken("a part has no head, or one of more than 8 KiB");
    TOLLGATE_TRY(FormPart part, read_head(body.substr(at, blank - at)));
    part.value = body.substr(blank + 4, end - blank - 4);
    const auto is_same = [&](const FormPart& other) { return other.name == part.name; };
    if (std::find(std::begin(read_once), std::end(read_once), part.name) != std::end(read_once) && std::any_of(parts.begin(), parts.end(), is_same)) {
      return fail(Fault::bad_request, "the form has the field '" + std::string(part.name) + "' twice: each may stand once", std::string(part.name));
    }
    parts.push_back(part);
  }
  return broken("its end is missing");
}

}  // namespace tollgate
