#include "gateway/admin/assets.hpp"

#include <string>

namespace tollgate {

namespace embedded {
extern const std::string_view page_html, page_css, page_main, page_dom, page_figures, page_explain, page_cards,
    page_decisions, page_try, page_events, page_whatif, page_report, page_advice, page_icon;
}

namespace {

struct File {
  std::string_view path, type;
  const std::string_view& text;
};

constexpr std::string_view script = "text/javascript; charset=utf-8";

const File files[] = {
    {"/", "text/html; charset=utf-8", embedded::page_html},
    {"/page/page.css", "text/css; charset=utf-8", embedded::page_css},
    {"/page/main.js", script, embedded::page_main},
    {"/page/dom.js", script, embedded::page_dom},
    {"/page/figures.js", script, embedded::page_figures},
    {"/page/explain.js", script, embedded::page_explain},
    {"/page/cards.js", script, embedded::page_cards},
    {"/page/decisions.js", script, embedded::page_decisions},
    {"/page/try.js", script, embedded::page_try},
    {"/page/events.js", script, embedded::page_events},
    {"/page/whatif.js", script, embedded::page_whatif},
    {"/page/report.js", script, embedded::page_report},
    {"/page/advice.js", script, embedded::page_advice},
    {"/page/icon.svg", "image/svg+xml", embedded::page_icon},
};

}  // namespace

std::optional<AdminReply> page_file(std::string_view path) {
  for (const File& file : files) {
    if (file.path == path) return AdminReply{200, std::string(file.type), std::string(file.text), {}};
  }
  return std::nullopt;
}

}  // namespace tollgate
