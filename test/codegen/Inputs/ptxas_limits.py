"""Assembles every kernel of `segc -emit ptx` with ptxas and prints the worst figures: registers, spills, and the number
of kernels. Usage: ptxas_limits.py FILE.ptx ARCH"""
# SPDX-License-Identifier: MIT
import re
import shutil
import subprocess
import sys
import tempfile

ptxas = shutil.which("ptxas") or "/usr/local/cuda/bin/ptxas"
text = open(sys.argv[1], errors="replace").read().replace("\0", "")
kernels = re.split(r"^// .*\n(?=// .* : (?:f32|bf16|f16)$)", text, flags=re.MULTILINE)[1:]
registers = spills = 0
for kernel in kernels:
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(kernel)
        file.flush()
        result = subprocess.run([ptxas, "-arch=" + sys.argv[2], "-v", file.name, "-o", "/dev/null"],
                                capture_output=True, text=True)
    if result.returncode:
        sys.exit(kernel.split("\n")[0] + "\n" + result.stderr)
    registers = max(registers, *map(int, re.findall(r"Used (\d+) registers", result.stderr)))
    spills = max(spills, *map(int, re.findall(r"(\d+) bytes spill", result.stderr)))
print(f"{len(kernels)} kernels, at most {registers} registers, {spills} bytes spilled")
