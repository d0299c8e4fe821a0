# tollgate_embed(target SYMBOL name FILE path): the text of a file as a constant in the program, so that nothing has to be
# installed beside it. Declare it where it is used:
#
#    namespace tollgate::embedded { extern const std::string_view schema_json; }
#
# The constant is written again whenever the file changes. The text is followed by a zero byte.
set(TOLLGATE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_write.cmake)
function(tollgate_embed target)
  cmake_parse_arguments(E "" "SYMBOL;FILE" "" ${ARGN})
  if(NOT E_SYMBOL OR NOT E_FILE)
    message(FATAL_ERROR "tollgate_embed needs SYMBOL and FILE")
  endif()
  get_filename_component(input ${E_FILE} ABSOLUTE)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded_${E_SYMBOL}.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${input} -DOUTPUT=${output} -DSYMBOL=${E_SYMBOL} -P ${TOLLGATE_EMBED_SCRIPT}
    DEPENDS ${input} ${TOLLGATE_EMBED_SCRIPT}
    COMMENT "Embedding ${E_FILE}" VERBATIM)
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_sources(${target} PRIVATE ${output})
endfunction()
