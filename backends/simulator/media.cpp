#include "backends/simulator/media.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "backends/simulator/service.hpp"
#include "backends/simulator/tokens.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;

/// A PNG of one transparent pixel.
constexpr std::string_view pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
constexpr std::int64_t tokens_per_image = 272;         // of a small one
constexpr std::int64_t tokens_per_picture_in = 194;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// One event of a stream.
std::string event(const char* type, Json data) {
  data["type"] = type;
  return fmt::format("event: {}\ndata: {}\n\n", type, text_of(data));
}

Page json_page(const Json& json, int status = 200) { return {status, "application/json", text_of(json)}; }

Page refusal(int status, std::string_view message, std::string_view param = {}) {
  return json_page({{"error", {{"message", message}, {"type", "invalid_request_error"}, {"param", param.empty() ? Json() : Json(param)}, {"code", nullptr}}}}, status);
}

std::string text_of(const Json& body, const char* name) {
  return body.is_object() && body.contains(name) && body[name].is_string() ? body[name].get<std::string>() : std::string();
}

/// The value of a field of a multipart form; `file`: its file name instead.
std::optional<std::string> form_value(std::string_view body, std::string_view field, bool file = false) {
  const std::string wanted = fmt::format("name=\"{}\"", field);
  const std::size_t at = body.find(wanted), head_end = body.find("\r\n\r\n", at == std::string_view::npos ? body.size() : at);
  if (at == std::string_view::npos || head_end == std::string_view::npos) return std::nullopt;
  if (file) {
    const std::size_t name = body.find("filename=\"", at);
    if (name == std::string_view::npos || name > head_end) return std::nullopt;
    return std::string(body.substr(name + 10, body.find('"', name + 10) - name - 10));
  }
  const std::string_view boundary = body.substr(0, body.find("\r\n"));
  const std::size_t end = body.find(std::string("\r\n") + std::string(boundary), head_end + 4);
  return std::string(body.substr(head_end + 4, end == std::string_view::npos ? end : end - head_end - 4));
}

/// So many samples of silence: 16 bits, one channel, 8 kHz.
std::string silence(std::size_t samples) {
  std::string wav;
  const auto put = [&wav](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) wav += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  const auto bytes = static_cast<std::uint32_t>(samples * 2);
  wav += "RIFF";
  put(36 + bytes, 4);
  wav += "WAVEfmt ";
  put(16, 4);
  put(1, 2);
  put(1, 2);
  put(8'000, 4);
  put(16'000, 4);
  put(2, 2);
  put(16, 2);
  wav += "data";
  put(bytes, 4);
  wav.append(bytes, '\0');
  return wav;
}

Json described(const std::string& id, const auto& file) {
  return {{"id", id}, {"object", "file"}, {"bytes", file.content.size()}, {"created_at", file.created}, {"filename", file.name}, {"purpose", file.purpose}, {"status", "processed"}};
}

std::int64_t tokens(std::string_view text) { return static_cast<std::int64_t>(count_tokens(text)); }

}  // namespace

std::optional<Page> Media::page(const HttpRequest& request) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  const auto below = [path](std::string_view root) -> std::optional<std::string_view> {
    if (!path.starts_with(root) || (path.size() > root.size() && path[root.size()] != '/')) return std::nullopt;
    return path.substr(std::min(path.size(), root.size() + 1));
  };
  if (const auto rest = below("/v1/files")) return files(request, *rest);
  if (const auto rest = below("/v1/uploads")) return uploads(request, *rest);
  if (const auto rest = below("/v1/batches")) return batches(request, *rest);
  const bool form = path == "/v1/images/edits" || path == "/v1/images/variations";
  const bool makes = form || path == "/v1/images/generations", hears = path == "/v1/audio/transcriptions" || path == "/v1/audio/translations";
  const bool speaks = path == "/v1/audio/speech", moderates = path == "/v1/moderations";
  if (!makes && !hears && !speaks && !moderates) return std::nullopt;
  if (request.method != "POST") return refusal(405, "Method Not Allowed: use POST");
  return makes ? images(request, form) : hears ? transcript(request) : speaks ? speech(request) : moderation(request);
}

Page Media::images(const HttpRequest& request, bool has_form) const {
  std::string prompt;
  std::int64_t n = 1;
  bool stream = false;
  if (has_form) {
    prompt = form_value(request.body, "prompt").value_or("");
    if (!form_value(request.body, "image", true)) return refusal(400, "Missing required parameter: 'image'.", "image");
    n = std::clamp<std::int64_t>(std::atoll(form_value(request.body, "n").value_or("1").c_str()), 1, 10);
  } else {
    const Json body = Json::parse(request.body, nullptr, false);
    prompt = text_of(body, "prompt");
    if (prompt.empty()) return refusal(400, "Missing required parameter: 'prompt'.", "prompt");
    stream = body.contains("stream") && body["stream"] == true;
    if (body.contains("n") && body["n"].is_number_integer()) n = std::clamp<std::int64_t>(body["n"].get<std::int64_t>(), 1, 10);
  }
  Json data = Json::array();
  for (std::int64_t i = 0; i < n; ++i) data.push_back({{"b64_json", pixel}});
  const std::int64_t text = tokens(prompt), pictures = has_form ? tokens_per_picture_in : 0, made = n * tokens_per_image;
  const Json usage{{"total_tokens", text + pictures + made}, {"input_tokens", text + pictures}, {"output_tokens", made},
                   {"input_tokens_details", {{"text_tokens", text}, {"image_tokens", pictures}}}};
  if (!stream) return json_page({{"created", std::time(nullptr)}, {"data", data}, {"output_format", "png"}, {"usage", usage}});
  const Json picture{{"b64_json", pixel}, {"created_at", std::time(nullptr)}, {"size", "1024x1024"}, {"quality", "low"}, {"background", "opaque"}, {"output_format", "png"}};
  Json partial = picture, whole = picture;
  partial["partial_image_index"] = 0;
  whole["usage"] = usage;
  return {200, "text/event-stream", event("image_generation.partial_image", partial) + event("image_generation.completed", whole)};
}

Page Media::speech(const HttpRequest& request) const {
  const Json body = Json::parse(request.body, nullptr, false);
  const std::string input = text_of(body, "input");
  if (input.empty()) return refusal(400, "Missing required parameter: 'input'.", "input");
  return {200, "audio/wav", silence(800 * std::max<std::size_t>(input.size() / 8, 1))};
}

Page Media::transcript(const HttpRequest& request) const {
  const auto file = form_value(request.body, "file");
  if (!file) return refusal(400, "Missing required parameter: 'file'.", "file");
  const std::string text = fmt::format("A simulated transcript of {} bytes of sound.", file->size());
  if (form_value(request.body, "response_format").value_or("json") == "text") return {200, "text/plain; charset=utf-8", text + "\n"};
  const auto seconds = static_cast<std::int64_t>(file->size() / 16'000 + 1);
  if (form_value(request.body, "model").value_or("").starts_with("whisper")) {
    return json_page({{"text", text}, {"usage", {{"type", "duration"}, {"seconds", seconds}}}});
  }
  const std::int64_t heard = seconds * 10, said = tokens(text);
  const Json usage{{"type", "tokens"}, {"input_tokens", heard}, {"input_token_details", {{"text_tokens", 0}, {"audio_tokens", heard}}},
                   {"output_tokens", said}, {"total_tokens", heard + said}};
  if (form_value(request.body, "stream").value_or("") != "true") return json_page({{"text", text}, {"usage", usage}});
  return {200, "text/event-stream", event("transcript.text.delta", {{"delta", text}}) + event("transcript.text.done", {{"text", text}, {"usage", usage}})};
}

Page Media::moderation(const HttpRequest& request) const {
  const Json body = Json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("input")) return refusal(400, "Missing required parameter: 'input'.", "input");
  const std::size_t count = body["input"].is_array() ? body["input"].size() : 1;
  Json results = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    Json categories = Json::object(), scores = Json::object(), types = Json::object();
    for (const char* const name : {"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm", "self-harm/instructions",
                                   "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"}) {
      categories[name] = false;
      scores[name] = 0.0001;
      types[name] = Json::array({"text"});
    }
    results.push_back({{"flagged", false}, {"categories", categories}, {"category_scores", scores}, {"category_applied_input_types", types}});
  }
  return json_page({{"id", fmt::format("modr-{}", request.body.size())}, {"model", text_of(body, "model")}, {"results", results}});
}

std::string Media::keep(std::string name, std::string purpose, std::string content) {
  const std::string id = fmt::format("file-{:012}", ++made_);
  files_[id] = {std::move(name), std::move(purpose), std::move(content), std::time(nullptr)};
  if (files_.size() > files_max) files_.erase(files_.begin());
  return id;
}

Page Media::uploads(const HttpRequest& request, std::string_view below) {
  if (request.method != "POST") return refusal(405, "Method Not Allowed: use POST");
  const auto described_upload = [](const std::string& id, const File& upload, const char* status) {
    return Json{{"id", id}, {"object", "upload"}, {"bytes", upload.content.size()}, {"created_at", upload.created}, {"filename", upload.name}, {"purpose", upload.purpose}, {"status", status},
                {"expires_at", upload.created + 3600}};
  };
  if (below.empty()) {
    const Json body = Json::parse(request.body, nullptr, false);
    const std::string id = fmt::format("upload_{:012}", ++made_);
    uploads_[id] = {text_of(body, "filename"), text_of(body, "purpose"), "", std::time(nullptr)};
    if (uploads_.size() > files_max) uploads_.erase(uploads_.begin());
    return json_page(described_upload(id, uploads_[id], "pending"));
  }
  const std::size_t slash = below.find('/');
  const auto found = uploads_.find(std::string(below.substr(0, slash)));
  const std::string_view what = slash == std::string_view::npos ? std::string_view() : below.substr(slash);
  if (found == uploads_.end()) return refusal(404, "No such Upload object", "id");
  if (what == "/parts") {
    found->second.content += form_value(request.body, "data").value_or("");
    return json_page({{"id", fmt::format("part_{:012}", ++made_)}, {"object", "upload.part"}, {"created_at", std::time(nullptr)}, {"upload_id", found->first}});
  }
  Json answer = described_upload(found->first, found->second, what == "/complete" ? "completed" : "cancelled");
  if (what == "/complete") {
    const std::string id = keep(found->second.name, found->second.purpose, found->second.content);
    answer["file"] = described(id, files_[id]);
  }
  uploads_.erase(found);
  return json_page(answer);
}

Page Media::files(const HttpRequest& request, std::string_view below) {
  if (below.empty() && request.method == "POST") {
    const auto content = form_value(request.body, "file");
    if (!content) return refusal(400, "Missing required parameter: 'file'.", "file");
    const std::string id = keep(form_value(request.body, "file", true).value_or("file"), form_value(request.body, "purpose").value_or("user_data"), *content);
    return json_page(described(id, files_[id]));
  }
  if (below.empty()) {
    Json all = Json::array();
    for (const auto& [id, file] : files_) all.push_back(described(id, file));
    return json_page({{"object", "list"}, {"data", all}, {"has_more", false}});
  }
  const std::size_t slash = below.find('/');
  const auto found = files_.find(std::string(below.substr(0, slash)));
  if (found == files_.end()) return refusal(404, "No such File object", "id");
  if (slash != std::string_view::npos) {
    if (below.substr(slash) == "/content" && request.method == "GET") return {200, "application/octet-stream", found->second.content};
    return refusal(404, "Invalid URL");
  }
  if (request.method == "DELETE") {
    const Json gone{{"id", found->first}, {"object", "file"}, {"deleted", true}};
    files_.erase(found);
    return json_page(gone);
  }
  return json_page(described(found->first, found->second));
}

Page Media::batches(const HttpRequest& request, std::string_view below) {
  if (below.empty() && request.method == "POST") {
    const Json body = Json::parse(request.body, nullptr, false);
    const std::string input = text_of(body, "input_file_id");
    if (!files_.contains(input)) return refusal(400, "Invalid 'input_file_id': no such file.", "input_file_id");
    const std::string id = fmt::format("batch_{:012}", ++made_);
    const Json batch{{"id", id}, {"object", "batch"}, {"endpoint", text_of(body, "endpoint")}, {"input_file_id", input}, {"completion_window", "24h"},
                     {"status", "validating"}, {"created_at", std::time(nullptr)}};
    batches_[id] = batch.dump();
    if (batches_.size() > files_max) batches_.erase(batches_.begin());
    return json_page(batch);
  }
  if (below.empty()) {
    Json all = Json::array();
    for (const auto& [id, text] : batches_) all.push_back(Json::parse(text));
    return json_page({{"object", "list"}, {"data", all}, {"has_more", false}});
  }
  const std::size_t slash = below.find('/');
  const auto found = batches_.find(std::string(below.substr(0, slash)));
  if (found == batches_.end()) return refusal(404, "No batch found");
  Json batch = Json::parse(found->second);
  if (slash != std::string_view::npos && below.substr(slash) == "/cancel") batch["status"] = "cancelling";
  found->second = batch.dump();
  return json_page(batch);
}

}  // namespace tollgate::simulator
