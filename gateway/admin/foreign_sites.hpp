#pragma once
// What other sites can make a browser send to the admin port, and how it is told from the live page's own requests.
//
// A page on the net may let a browser post a form to 127.0.0.1:9090 (and send the password along that the browser
// knows), or give its own name the address 127.0.0.1 and then read answers. So requests to /admin/ and all that are no
// GET must come from this origin or from no browser; and where no key is asked for, the name they were sent to must be
// an address or localhost.

#include <optional>

#include "gateway/admin/pages.hpp"

namespace tollgate {

/// The refusal; nullopt: the request may be answered. `asks_keys`: the admin port has keys.
[[nodiscard]] std::optional<AdminReply> refuse_foreign(const AdminRequest& request, bool asks_keys);

}  // namespace tollgate
