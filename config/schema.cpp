#include "config/config.hpp"

namespace tollgate {
namespace embedded {
extern const std::string_view schema_json;
}  // namespace embedded

std::string_view config_schema() noexcept { return embedded::schema_json; }

}  // namespace tollgate
