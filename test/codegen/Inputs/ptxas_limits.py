"""Assembles every kernel of `segc -emit ptx` with ptxas and prints the worst figures: registers, spills, and the number
of kernels. Usage: ptxas_limits.py FILE.ptx ARCH[,ARCH...] [GOLDENS]

GOLDENS has a line for each problem: "problem | bytes of shared memory | registers for each ARCH". Registers may be fewer, or
up to 8 more by another toolkit's ptxas; shared memory is the same. With UPDATE=1 in the environment it is written anew."""
# SPDX-License-Identifier: MIT
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

ptxas = shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"
archs = sys.argv[2].split(",")
text = open(sys.argv[1], errors="replace").read().replace("\0", "")
kernels = re.split(r"^// .*\n(?=// .* : (?:f32|bf16|f16)$)", text, flags=re.MULTILINE)[1:]


def assembled(kernel, arch):
    """Registers, bytes of shared memory and spilled ones, the most of a kernel's entries."""
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(kernel)
        file.flush()
        result = subprocess.run([ptxas, "-arch=" + arch, "-v", file.name, "-o", "/dev/null"], capture_output=True, text=True)
    if result.returncode:
        sys.exit(kernel.split("\n")[0] + "\n" + result.stderr)
    most = lambda pattern: max(map(int, re.findall(pattern, result.stderr)), default=0)
    return most(r"Used (\d+) registers"), most(r"(\d+) bytes smem"), most(r"(\d+) bytes spill")


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    figures = {}
    for kernel, found in zip(kernels, pool.map(lambda kernel: [assembled(kernel, arch) for arch in archs], kernels)):
        problem = kernel.split("\n")[0].removeprefix("// ")
        known = figures.get(problem, found)
        figures[problem] = [tuple(map(max, a, b)) for a, b in zip(known, found)]
every = [entry for found in figures.values() for entry in found]
if len(sys.argv) > 3 and os.environ.get("UPDATE"):
    with open(sys.argv[3], "w") as file:
        file.writelines(f"{problem} | {found[0][1]} | {' '.join(str(entry[0]) for entry in found)}\n"
                        for problem, found in sorted(figures.items()))
if len(sys.argv) > 3:
    with open(sys.argv[3]) as file:
        goldens = {words[0]: words for words in (line.rstrip("\n").split(" | ") for line in file)}
    if sorted(goldens) != sorted(figures):
        sys.exit(f"kernels without a golden or the other way round: {sorted(set(goldens) ^ set(figures))}")
    for problem, found in figures.items():
        shared, registers = int(goldens[problem][1]), list(map(int, goldens[problem][2].split()))
        for arch, (used, bytes_shared, _), most in zip(archs, found, registers):
            if used > most + 8 or bytes_shared != shared:
                print(f"{problem}: {used} registers for {arch}, {bytes_shared} bytes of shared memory; known are {most}, {shared}")
print(f"{len(kernels)} kernels, at most {max(e[0] for e in every)} registers, {max(e[2] for e in every)} bytes spilled")
