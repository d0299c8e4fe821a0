// `prices`: the price book that targets without prices of their own are priced from.
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "config/draft.hpp"
#include "config/prices/book.hpp"

namespace tollgate {

void load_prices(MapReader& root, Draft& draft) {
  PriceFile& prices = draft.config.prices;
  MapReader section(root.at("prices"));
  section.text("file", prices.path);
  section.integer("stale_after_days", prices.stale_after_days, 1, 3650);
  if (prices.path.empty()) {
    prices.as_of = prices::built_in_book().as_of;
    return;
  }
  const Cursor place = section.at("file");
  std::ifstream in(prices.path, std::ios::binary);
  if (!in)
    return place.report(
        fmt::format("the price book {} cannot be opened; `tollgate prices import` makes one", prices.path));
  const std::string text(std::istreambuf_iterator<char>(in), {});
  Result<prices::PriceBook> book = prices::read_book(text, prices.path);
  if (!book) return place.report(book.error().message);
  prices.as_of = book.value().as_of;
  draft.book = std::make_shared<const prices::PriceBook>(std::move(book.value()));
}

}  // namespace tollgate
