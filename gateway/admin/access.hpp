#pragma once
// Who may see what on the admin port. Where admin.keys has keys, all but the two pages that service managers ask needs
// one: as `Authorization: Bearer KEY`, or as the password of HTTP's basic scheme, which browsers ask their user for.

#include <cstdint>
#include <string_view>

#include "config/config.hpp"
#include "gateway/admin/pages.hpp"

namespace tollgate {

enum class AdminAccess : std::uint8_t {
  all,          ///< a key was shown, or none is asked for
  status_only,  ///< /healthz and /readyz without a key: yes or no, and no names
  refused
};

[[nodiscard]] AdminAccess admin_access(const std::vector<AdminKey>& keys, std::string_view target, std::string_view authorization);
/// What a refused request is answered.
[[nodiscard]] AdminReply refusal();
/// The same status, without the names of targets.
[[nodiscard]] AdminReply without_details(AdminReply reply);

}  // namespace tollgate
