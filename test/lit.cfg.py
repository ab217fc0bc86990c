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


def cuda_device():
    """Whether there is a GPU of sm_80 or later."""
    driver, device, major = loads("libcuda.so.1"), ctypes.c_int(), ctypes.c_int()
    capability_major = 75
    return (driver and driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(device), 0) == 0
            and driver.cuDeviceGetAttribute(ctypes.byref(major), capability_major, device) == 0 and major.value >= 8)


# What tests of GPU code need; without it they are skipped. SEGC_TEST_DEVICE=emulated runs those of a GPU by emulation.
emulated = os.environ.get("SEGC_TEST_DEVICE") == "emulated"
config.substitutions.append(("%device", "-device emulated" if emulated else ""))
if cuda_device() and not emulated:
    config.available_features.add("cuda-device-leaks")
if emulated or cuda_device():
    config.available_features.add("cuda-device")
if shutil.which("compute-sanitizer") and not emulated:
    config.available_features.add("compute-sanitizer")
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
