# lit: runs the commands in the comments of each test file; see https://llvm.org/docs/CommandGuide/lit.html.
import ctypes
import os
import shutil

import lit.formats

config.name = "segc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.environment["PATH"] = os.pathsep.join(
    [config.tools_dir, config.llvm_tools_dir, config.environment["PATH"]])
config.environment["SEGC_CACHE"] = os.path.join(config.test_exec_root, "cache")
config.substitutions.append(("%models", config.models_dir))
config.substitutions.append(("%source", config.project_dir))
config.substitutions.append(("%tools", config.tools_dir))
config.substitutions.append(("%build", config.build_dir))
config.environment["POCL_CACHE_DIR"] = os.path.join(config.test_exec_root, "pocl")


def loads(library):
    try:
        return ctypes.CDLL(library)
    except OSError:
        return None


def opencl_platforms():
    count = ctypes.c_uint(0)
    opencl = loads("libOpenCL.so.1")
    if opencl:
        opencl.clGetPlatformIDs(0, None, ctypes.byref(count))
    return count.value


# What tests of GPU code need; without it they are skipped.
if opencl_platforms():
    config.available_features.add("opencl")
if not loads("libcuda.so.1"):
    config.available_features.add("no-cuda-driver")
if shutil.which("ptxas") or os.path.exists("/usr/local/cuda/bin/ptxas"):
    config.available_features.add("ptxas")
for feature in config.cpu_features.split():
    config.available_features.add(feature)
if os.environ.get("SEGC_LONG"):
    config.available_features.add("long")
