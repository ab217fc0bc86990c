# LLVM/MLIR 22 as one interface target. HandleLLVMOptions is left out on purpose: it would force
# LLVM's warning and exception flags on Halide's users too.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

add_library(segc_mlir INTERFACE)
target_include_directories(segc_mlir SYSTEM INTERFACE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
separate_arguments(SEGC_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_options(segc_mlir INTERFACE ${SEGC_LLVM_DEFINITIONS})
# Both: libMLIR.so carries no interface libraries of its own.
target_link_libraries(segc_mlir INTERFACE MLIR LLVM)
# mlir_tablegen reads the include directories of the directory, not of a target.
include_directories(SYSTEM ${MLIR_INCLUDE_DIRS})
