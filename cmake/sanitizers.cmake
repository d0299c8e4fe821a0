# TOLLGATE_SANITIZE applies to everything, so that library and test agree on it.
if(TOLLGATE_SANITIZE)
  string(REPLACE ";" "," _sanitize "${TOLLGATE_SANITIZE}")
  add_compile_options(-fsanitize=${_sanitize} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${_sanitize})
endif()
