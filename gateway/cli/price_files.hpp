#pragma once
// Price books and price lists as files.

#include <string>

#include "config/prices/book.hpp"

namespace tollgate::cli {

/// The book in a file; "" is the one in the program.
[[nodiscard]] Result<prices::PriceBook> book_from(const std::string& path);
/// A whole file, unpacked if it is gzipped. Fault::io_failed.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
/// Writes a new file beside the old one, makes it durable, and puts it in its place: a reader sees the old or the new,
/// never a part.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view text);

}  // namespace tollgate::cli
