# segc_compile_model(<target> <model.json> [NAME <name>] [TARGET cpu] [SET <parameter>=<value> ...] [ARGS <flag> ...])
#
# Compiles a model description when the project is built and makes the library <target> of it: linking it gives the
# header <name>.h, the static library and what that needs of the system.
#   NAME    the prefix of all names in the header; by default the description's own. Two libraries made of one
#           description need two names.
#   TARGET  what the library is for, as segc -target
#   SET     parameters of the model, as segc -set
#   ARGS    further flags of segc, such as -mcpu=avx2
# Property SEGC_DIRECTORY of <target> is the folder with lib<name>.so and <name>.report.json.
# Files that `file` includes from its own folder or below, directly or not; those of the zoo belong to segc.
function(segc_included_files file known out)
  file(READ "${file}" description)
  string(JSON count ERROR_VARIABLE error LENGTH "${description}" include)
  if(NOT error AND count GREATER 0)
    get_filename_component(folder "${file}" DIRECTORY)
    math(EXPR last "${count} - 1")
    foreach(index RANGE ${last})
      string(JSON name ERROR_VARIABLE error GET "${description}" include ${index})
      get_filename_component(path "${folder}/${name}" ABSOLUTE)
      if(NOT error AND EXISTS "${path}" AND NOT path IN_LIST known)
        list(APPEND known "${path}")
        segc_included_files("${path}" "${known}" known)
      endif()
    endforeach()
  endif()
  set(${out} "${known}" PARENT_SCOPE)
endfunction()

function(segc_compile_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME;TARGET" "SET;ARGS")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "segc_compile_model(${target}): '${arg_UNPARSED_ARGUMENTS}${arg_KEYWORDS_MISSING_VALUES}' "
      "is no argument or lacks its value; use NAME, TARGET, SET, ARGS")
  endif()
  get_filename_component(model "${model}" ABSOLUTE)
  if(NOT EXISTS "${model}")
    message(FATAL_ERROR "segc_compile_model(${target}): there is no file ${model}")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${model}") # its name decides the file names
  file(READ "${model}" description)
  string(JSON name ERROR_VARIABLE error GET "${description}" name)
  if(error)
    message(FATAL_ERROR "segc_compile_model(${target}): ${model} has no readable \"name\": ${error}")
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}.segc")
  file(MAKE_DIRECTORY "${folder}")
  segc_included_files("${model}" "" included)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${included}) # they may include more
  if(arg_NAME)
    # The same description under another name, with what it includes beside it.
    get_filename_component(beside "${model}" DIRECTORY)
    foreach(file IN LISTS included)
      file(RELATIVE_PATH place "${beside}" "${file}")
      configure_file("${file}" "${folder}/${place}" COPYONLY)
    endforeach()
    string(JSON description SET "${description}" name "\"${arg_NAME}\"")
    set(name "${arg_NAME}")
    set(model "${folder}/${name}.json")
    file(CONFIGURE OUTPUT "${model}" CONTENT "${description}" @ONLY)
  endif()

  set(flags ${arg_ARGS})
  if(arg_TARGET)
    list(APPEND flags "-target=${arg_TARGET}")
  endif()
  foreach(setting IN LISTS arg_SET)
    list(APPEND flags "-set=${setting}")
  endforeach()
  if(TARGET segc::segc)
    set(compiler segc::segc) # installed
  else()
    set(compiler segc) # in segc's own build
  endif()
  set(library "${folder}/lib${name}.a")
  add_custom_command(
    OUTPUT "${library}" "${folder}/lib${name}.so" "${folder}/${name}.h" "${folder}/${name}.report.json"
    COMMAND ${compiler} "${model}" ${flags} -o "${folder}"
    DEPENDS "${model}" ${included} ${compiler}
    COMMENT "Compiling the model ${name}"
    VERBATIM)
  add_custom_target(${target}.compile DEPENDS "${library}")

  find_package(Threads REQUIRED)
  add_library(${target} STATIC IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${folder}"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m"
    SEGC_DIRECTORY "${folder}")
  add_dependencies(${target} ${target}.compile)
endfunction()
