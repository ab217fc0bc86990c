# Halide 21 from the PyPI wheel as an imported target: the wheel's own CMake config asks for CMake 3.28.
if(NOT HALIDE_ROOT)
  file(GLOB SEGC_HALIDE_CANDIDATES ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/halide)
  list(GET SEGC_HALIDE_CANDIDATES 0 HALIDE_ROOT)
endif()
if(NOT EXISTS ${HALIDE_ROOT}/include/Halide.h)
  message(FATAL_ERROR "Halide.h not found under HALIDE_ROOT='${HALIDE_ROOT}'; run scripts/setup.sh or pass -DHALIDE_ROOT=<site-packages/halide>")
endif()
file(STRINGS ${HALIDE_ROOT}/include/HalideRuntime.h SEGC_HALIDE_MAJOR REGEX "HALIDE_VERSION_MAJOR 21")
if(NOT SEGC_HALIDE_MAJOR)
  message(FATAL_ERROR "segc needs Halide 21; found another version under ${HALIDE_ROOT}")
endif()
add_library(Halide::Halide SHARED IMPORTED GLOBAL)
set_target_properties(Halide::Halide PROPERTIES
  IMPORTED_LOCATION ${HALIDE_ROOT}/lib64/libHalide.so
  INTERFACE_INCLUDE_DIRECTORIES ${HALIDE_ROOT}/include
  INTERFACE_COMPILE_DEFINITIONS "HALIDE_ENABLE_RTTI;HALIDE_WITH_EXCEPTIONS"
  INTERFACE_COMPILE_FEATURES cxx_std_17)
