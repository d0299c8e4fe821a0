#include "router/correction.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

namespace tollgate {
namespace {

constexpr std::string_view format_name = "tollgate-correction";
constexpr int format_version = 1;
constexpr float weight_most = 1000;  // a weight past it is no result of a fit
constexpr std::size_t file_bytes_max = 1024 * 1024;

bool reasonable(const nlohmann::json& value) {
  return value.is_number() && std::isfinite(value.get<double>()) && std::abs(value.get<double>()) <= weight_most;
}

std::string base_model_text(std::uint32_t id) { return fmt::format("{:08x}", id); }

Error cannot(const char* what, const std::string& path) {
  return fail(Fault::io_failed, fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(errno)));
}

Result<void> write_durably(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return cannot("write", path);
  bool good = true;
  while (good && !text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    good = written > 0 || (written < 0 && errno == EINTR);
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  good = good && ::fsync(file) == 0;
  const Error error = cannot("write", path);
  ::close(file);
  if (!good) return error;
  return success();
}

/// Where a folder cannot be synced the rename is as safe as it gets.
void sync_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int directory = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  const bool synced = ::fsync(directory) == 0;
  (void)synced;
  ::close(directory);
}

}  // namespace

float logit_of(float score) noexcept {
  constexpr float edge = 1e-4F;
  const float p = std::clamp(score, edge, 1 - edge);
  return std::log(p / (1 - p));
}

float Correction::apply(float base_score, const DenseFeatures& dense) const noexcept {
  float sum = 0;
  for (std::size_t i = 0; i < dense_count; ++i) sum += weights[i] * static_cast<float>(dense[i]);
  const float logit = intercept + slope * logit_of(base_score) + sum / 16;
  return 1 / (1 + std::exp(-logit));
}

std::string correction_text(const Correction& correction, const CorrectionOrigin& origin) {
  nlohmann::ordered_json weights = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < dense_count; ++i) weights[std::string(dense_names[i])] = correction.weights[i];
  const nlohmann::ordered_json file{{"format", format_name},
                                    {"version", format_version},
                                    {"base_model", base_model_text(origin.base_model)},
                                    {"feature_version", feature_version},
                                    {"made_at", origin.made_at},
                                    {"rows", origin.rows},
                                    {"held_out_log_loss_before", origin.log_loss_before},
                                    {"held_out_log_loss_after", origin.log_loss_after},
                                    {"intercept", correction.intercept},
                                    {"slope", correction.slope},
                                    {"weights", weights}};
  return file.dump(2) + "\n";
}

Result<CorrectionPtr> parse_correction(std::string_view json, const std::string& source, std::uint32_t base_model) {
  const nlohmann::json file = nlohmann::json::parse(json, nullptr, false);
  const auto refuse = [&source](const std::string& why) { return fail(Fault::bad_config, source + ": " + why); };
  if (!file.is_object() || file.value("format", nlohmann::json()) != format_name) {
    return refuse("this is not a correction made by `tollgate train`");
  }
  if (file.value("version", nlohmann::json()) != format_version) {
    return refuse(
        fmt::format("this program reads version {} of the format; run `tollgate train` again", format_version));
  }
  if (file.value("base_model", nlohmann::json()) != base_model_text(base_model)) {
    return refuse(fmt::format(
        "it was fitted to another base model ({}) than the one in use ({}); run `tollgate train` again, or remove it",
        file.value("base_model", nlohmann::json("none named")).dump(), base_model_text(base_model)));
  }
  if (file.value("feature_version", nlohmann::json()) != feature_version) {
    return refuse("it was fitted to another version of the features; run `tollgate train` again, or remove it");
  }
  if (!file.contains("weights") || !file["weights"].is_object() || file["weights"].size() != dense_count) {
    return refuse(fmt::format("weights must hold the {} features of this version", dense_count));
  }
  auto correction = std::make_shared<Correction>();
  for (const auto& [key, to] :
       {std::pair("intercept", &correction->intercept), std::pair("slope", &correction->slope)}) {
    if (!file.contains(key) || !reasonable(file[key])) return refuse(fmt::format("{} must be a number", key));
    *to = file[key].get<float>();
  }
  for (std::size_t i = 0; i < dense_count; ++i) {
    const std::string name(dense_names[i]);
    if (!file["weights"].contains(name) || !reasonable(file["weights"][name])) {
      return refuse(fmt::format("weights.{} must be a number", name));
    }
    correction->weights[i] = file["weights"][name].get<float>();
  }
  return CorrectionPtr(std::move(correction));
}

Result<CorrectionPtr> load_correction(const std::string& path, std::uint32_t base_model) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::error_code error;
    if (!std::filesystem::exists(path, error) && !error) return CorrectionPtr();
    return fail(Fault::io_failed, path + ": cannot be opened; check its permissions");
  }
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max) return fail(Fault::bad_config, path + ": larger than any correction");
  return parse_correction(text, path, base_model);
}

std::string previous_correction(const std::string& path) { return path + ".previous"; }

Result<void> install_correction(const std::string& path, std::string_view text) {
  const std::string fresh = fmt::format("{}.new-{}", path, ::getpid());
  if (const Result<void> written = write_durably(fresh, text); !written) {
    ::unlink(fresh.c_str());
    return written.error();
  }
  const std::string previous = previous_correction(path);
  ::unlink(previous.c_str());
  // A second name for the old file: at no point is there none at `path`.
  if (::link(path.c_str(), previous.c_str()) != 0 && errno != ENOENT) {
    const Error error = cannot("keep the earlier correction as", previous);
    ::unlink(fresh.c_str());
    return error;
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    const Error error = cannot("replace", path);
    ::unlink(fresh.c_str());
    return error;
  }
  sync_folder_of(path);
  return success();
}

Result<RolledBack> roll_back_correction(const std::string& path) {
  if (::rename(previous_correction(path).c_str(), path.c_str()) == 0) {
    sync_folder_of(path);
    return RolledBack::to_previous;
  }
  if (errno != ENOENT) return cannot("put back", path);
  if (::unlink(path.c_str()) == 0) {
    sync_folder_of(path);
    return RolledBack::to_base_model;
  }
  if (errno != ENOENT) return cannot("remove", path);
  return RolledBack::nothing_installed;
}

}  // namespace tollgate
