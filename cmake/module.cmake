# tollgate_module(name [PRECOMPILED] USES module… LINKS library… SOURCES file…)
# One static library per folder, as target tollgate_<name> with the alias tollgate::<name>. USES names the folders it may include;
# PRECOMPILED reads the expensive third-party headers of the network folders once instead of once per file.
function(tollgate_module name)
  cmake_parse_arguments(M "PRECOMPILED" "" "USES;LINKS;SOURCES" ${ARGN})
  add_library(tollgate_${name} STATIC ${M_SOURCES})
  add_library(tollgate::${name} ALIAS tollgate_${name})
  target_include_directories(tollgate_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  foreach(used ${M_USES})
    target_link_libraries(tollgate_${name} PUBLIC tollgate::${used})
  endforeach()
  target_link_libraries(tollgate_${name} PUBLIC ${M_LINKS})
  tollgate_warnings(tollgate_${name})
  if(M_PRECOMPILED)
    target_precompile_headers(tollgate_${name} PRIVATE
      <algorithm> <chrono> <functional> <map> <memory> <optional> <span> <string> <string_view> <vector> <fmt/format.h> <nlohmann/json.hpp>
      <boost/asio/awaitable.hpp> <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/steady_timer.hpp> <boost/outcome/basic_result.hpp>)
  endif()
endfunction()
