# Every third-party library the project may use, found once. All come from the distribution's packages (see ./dev).
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(CURL REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(HIREDIS REQUIRED hiredis)   # its headers are included as <hiredis/…>: no flag is needed for them

# yaml-cpp 0.7 exports a plain target, 0.8 a namespaced one.
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

# Boost as a system include, header only, with the settings every file must share.
add_library(tollgate_boost INTERFACE)
target_link_libraries(tollgate_boost INTERFACE Boost::headers Threads::Threads OpenSSL::SSL OpenSSL::Crypto)
target_compile_definitions(tollgate_boost INTERFACE
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=8   # coroutine frames kept for the next: a request has about ten at a time
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY BOOST_BEAST_USE_STD_STRING_VIEW)
