#include "advice/offers.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "config/decimal.hpp"

namespace tollgate::embedded {
extern const std::string_view gpu_offers_json;
}  // namespace tollgate::embedded

namespace tollgate::advice {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::vector<GpuOffer> read() {
  std::vector<GpuOffer> offers;
  const nlohmann::json file = nlohmann::json::parse(embedded::gpu_offers_json);
  for (const nlohmann::json& each : file.at("offers")) {
    GpuOffer offer;
    offer.provider = each.at("provider");
    offer.gpu = each.at("gpu");
    offer.offer = each.at("offer");
    offer.as_of = each.at("as_of");
    offer.kind = each.at("billing") == "serverless" ? OfferKind::serverless : OfferKind::dedicated;
    const Result<Usd> price = parse_usd(each.at("usd_per_gpu_hour").get<std::string>());
    if (!price) throw std::runtime_error("gpu_offers.json: " + price.error().message);
    offer.per_gpu_hour = price.value();
    offers.push_back(std::move(offer));
  }
  std::stable_sort(offers.begin(), offers.end(), [](const GpuOffer& a, const GpuOffer& b) { return a.per_gpu_hour < b.per_gpu_hour; });
  return offers;
}

}  // namespace

const std::vector<GpuOffer>& gpu_offers() {
  static const std::vector<GpuOffer> offers = read();
  return offers;
}

std::vector<GpuOffer> offers_of(std::string_view gpu, OfferKind kind) {
  std::vector<GpuOffer> out;
  for (const GpuOffer& offer : gpu_offers()) {
    if (offer.kind == kind && offer.gpu == upper(gpu)) out.push_back(offer);
  }
  return out;
}

Result<GpuCount> parse_gpu(std::string_view text) {
  GpuCount out;
  const std::string all = upper(text);
  const std::size_t x = all.rfind('X');
  std::string_view name = all;
  if (x != std::string::npos && x > 0 && x + 1 < all.size()) {
    const auto [end, error] = std::from_chars(all.data() + x + 1, all.data() + all.size(), out.count);
    if (error == std::errc{} && end == all.data() + all.size()) name = std::string_view(all).substr(0, x);
  }
  if (name.empty() || out.count < 1 || out.count > 1024) return fail(Fault::bad_request, "'" + std::string(text) + "' is no GPU and count, such as h100x2");
  out.gpu = name;
  return out;
}

}  // namespace tollgate::advice
