# What `cmake --install` puts where: the tools, the example models and the package for find_package(segc).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(tool segc segc-opt segc-run segc-check segc-data segc-train segc-eval segc-look segc-bench)
  if(TARGET ${tool})
    set_target_properties(${tool} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/segc")
    install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
# Halide travels along: the venv it came from belongs to the source tree.
get_target_property(SEGC_HALIDE_FILE Halide::Halide IMPORTED_LOCATION)
install(FILES ${SEGC_HALIDE_FILE} DESTINATION ${CMAKE_INSTALL_LIBDIR}/segc)
install(DIRECTORY examples/models DESTINATION ${CMAKE_INSTALL_DATADIR}/segc FILES_MATCHING PATTERN "*.json")

set(SEGC_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/segc)
configure_package_config_file(cmake/segcConfig.cmake.in ${PROJECT_BINARY_DIR}/segcConfig.cmake
  INSTALL_DESTINATION ${SEGC_PACKAGE_DIR} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/segcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/segcConfig.cmake ${PROJECT_BINARY_DIR}/segcConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/SegcCompileModel.cmake DESTINATION ${SEGC_PACKAGE_DIR})
# The tools look for the zoo beside themselves, in the build folder too.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/share/segc)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/examples/models ${PROJECT_BINARY_DIR}/share/segc/models SYMBOLIC)
