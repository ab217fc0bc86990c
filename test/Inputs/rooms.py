"""rooms.py ROOT: fails, with the file and the reason, where an include points the wrong way or a file is too long.

The table is that of docs/design.md, "Rooms"; what a room may include are beginnings of paths.
"""
import os
import re
import sys

ROOMS = {
    "runtime/core": ["runtime/core", "runtime/include", "HalideRuntime.h"],
    "runtime/include": [],
    "runtime/files": ["runtime/files", "nlohmann"],
    "runtime/pictures": ["runtime/pictures", "runtime/files", "png.h", "jpeglib.h", "tiffio.h"],
    "runtime/train": ["runtime/train", "runtime/pictures", "runtime/files", "nlohmann"],
    "schedules/tensorcore": ["schedules/tensorcore", "schedules/KernelSpec.h", "schedules/Compile.h",
                             "schedules/Images.h", "runtime/core/Images.h", "runtime/core/TensorCore", "llvm"],
    "schedules": ["schedules", "Halide"],
    "dialects/hourglass": ["dialects/hourglass", "mlir", "llvm"],
    "dialects/plan": ["dialects", "mlir", "llvm"],
    "compiler/frontend": ["compiler/frontend", "dialects", "mlir", "llvm", "nlohmann"],
    "compiler/analysis": ["compiler/analysis", "dialects", "schedules", "mlir", "llvm"],
    "compiler/passes": ["compiler/analysis", "compiler/passes", "dialects", "schedules", "runtime/core", "mlir", "llvm"],
    "compiler/emulate": ["compiler/emulate", "llvm"],
    "compiler/reference": ["compiler/reference", "dialects", "mlir", "llvm"],
}
OUR = ("compiler/", "dialects/", "runtime/", "schedules/", "mlir", "llvm", "Halide", "nlohmann", "png.h", "jpeglib.h",
       "tiffio.h")
HALIDE = ("schedules/", "compiler/codegen/")  # what may see Halide.h, directly or through another header
LONGEST = 500
SOURCES = (".h", ".cpp", ".c", ".td", ".py", ".mlir", ".test", ".cmake", ".txt", ".sh", ".in")


def sources(root):
    for top in ("benchmarks", "cmake", "compiler", "dialects", "examples", "runtime", "schedules", "scripts", "test"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith(SOURCES) and "goldens" not in folder:
                    yield os.path.relpath(os.path.join(folder, name), root)


def main(root):
    problems, includes = [], {}
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        if text.count("\n") > LONGEST:
            problems.append(f"{path}: has {text.count(chr(10))} lines, at most {LONGEST} are allowed")
        if path.endswith((".h", ".cpp", ".c", ".in")):
            includes[path] = re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', text, re.MULTILINE)

    for path, included in includes.items():
        room = next((room for room in ROOMS if path.startswith(room + "/")), None)
        for name in included:
            if room and name.startswith(OUR) and not name.startswith(tuple(ROOMS[room])):
                problems.append(f"{path}: {room} may not include {name}")
            if path.startswith("runtime/") and name.startswith(("compiler/", "dialects/", "schedules/", "mlir", "llvm")):
                problems.append(f"{path}: the runtime may not include {name}")

    def reaches(path, seen):
        if path in seen:
            return False
        seen.add(path)
        return any(name == "Halide.h" or reaches(name, seen) for name in includes.get(path, []))

    for path in includes:
        if not path.startswith(HALIDE + ("test/",)) and reaches(path, set()):
            problems.append(f"{path}: only schedules and compiler/codegen may see Halide.h")

    if len(includes) < 100:
        problems.append(f"{root}: only {len(includes)} source files found")
    print("\n".join(sorted(set(problems))))
    return 1 if problems else 0


sys.exit(main(sys.argv[1]))
