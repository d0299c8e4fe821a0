# What is installed, and the Debian package: `cpack -G DEB` in the build folder, or `./dev package`.
# The manual page and the completions are printed by the program itself, when it is installed: they cannot be of another version.
include(GNUInstallDirs)

set(TOLLGATE_DOCS ${CMAKE_INSTALL_DATAROOTDIR}/doc/tollgate)
set(TOLLGATE_MADE ${CMAKE_BINARY_DIR}/packaging)

install(TARGETS tollgate RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(CODE "
  file(MAKE_DIRECTORY \"${TOLLGATE_MADE}\")
  function(made_by_program file)
    execute_process(COMMAND \"${CMAKE_BINARY_DIR}/tollgate\" \${ARGN} OUTPUT_FILE \"${TOLLGATE_MADE}/\${file}\" COMMAND_ERROR_IS_FATAL ANY)
  endfunction()
  made_by_program(tollgate.1 man)
  made_by_program(tollgate completion bash)
  made_by_program(_tollgate completion zsh)
  made_by_program(tollgate.fish completion fish)
  execute_process(COMMAND gzip -9nf \"${TOLLGATE_MADE}/tollgate.1\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND gzip -9nc \"${CMAKE_SOURCE_DIR}/CHANGELOG.md\" OUTPUT_FILE \"${TOLLGATE_MADE}/changelog.gz\" COMMAND_ERROR_IS_FATAL ANY)
")
install(FILES ${TOLLGATE_MADE}/tollgate.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${TOLLGATE_MADE}/tollgate DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions)
install(FILES ${TOLLGATE_MADE}/_tollgate DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/zsh/vendor-completions)
install(FILES ${TOLLGATE_MADE}/tollgate.fish DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d)
install(FILES ${TOLLGATE_MADE}/changelog.gz DESTINATION ${TOLLGATE_DOCS})
install(FILES deploy/debian/copyright DESTINATION ${TOLLGATE_DOCS})
install(DIRECTORY docs/ DESTINATION ${TOLLGATE_DOCS} FILES_MATCHING PATTERN "*.md")
install(DIRECTORY examples/ DESTINATION ${TOLLGATE_DOCS}/examples FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY metrics/grafana/dashboards metrics/grafana/provisioning DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/tollgate/grafana)
install(FILES metrics/prometheus/prometheus.yaml DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/tollgate/prometheus)
install(DIRECTORY metrics/prometheus/rules DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/tollgate/prometheus)
install(FILES config/schema.json DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/tollgate)
# Absolute paths: where systemd and dpkg look, whatever the prefix.
install(FILES deploy/systemd/tollgate.service DESTINATION /lib/systemd/system)
install(FILES deploy/systemd/tollgate.sysusers DESTINATION /usr/lib/sysusers.d RENAME tollgate.conf)
install(FILES deploy/debian/tollgate.yaml DESTINATION /etc/tollgate)
install(FILES deploy/debian/tollgate.default DESTINATION /etc/default RENAME tollgate)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tollgate)
set(CPACK_PACKAGE_VENDOR "Tollgate")
set(CPACK_PACKAGE_CONTACT "The Tollgate authors <maintainers@tollgate.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "LLM routing gateway with live cost accounting")
set(CPACK_PACKAGE_DESCRIPTION
"Tollgate is one endpoint that speaks the protocol of OpenAI, in front of GPUs
of your own and of managed models. It sends each request to the cheapest backend
that may take it, can do it and is up, and records what the answer cost.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_FILE_NAME "tollgate_${PROJECT_VERSION}_amd64")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, tzdata, passwd, procps")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/deploy/debian/conffiles ${CMAKE_SOURCE_DIR}/deploy/debian/postinst ${CMAKE_SOURCE_DIR}/deploy/debian/prerm
  ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
include(CPack)
