# Writes OUTPUT, a source file that defines tollgate::embedded::SYMBOL with the text of INPUT (see embed.cmake).
file(READ "${INPUT}" text)
set(delimiter "embedded")
string(FIND "${text}" ")${delimiter}\"" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${INPUT} holds the raw-string delimiter )${delimiter}\"")
endif()
get_filename_component(name "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Made from ${name}; change that file, not this one.
#include <string_view>

namespace tollgate::embedded {
extern const std::string_view ${SYMBOL};
using namespace std::string_view_literals;
const std::string_view ${SYMBOL} = R\"${delimiter}(${text})${delimiter}\"sv;
}  // namespace tollgate::embedded
")
