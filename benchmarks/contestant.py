"""A process that runs a net on request, and what other processes take of the machine meanwhile.

The protocol, on the process's stdin and stdout: it begins with "ready", its load time in ms and its memory before
loading in kB (where it knows them); a line "N" asks for N runs and is answered with N times in ms, "stat" with what it
knows of itself, the peak memory in kB first, "end" ends it.
"""
# SPDX-License-Identifier: MIT
import os
import re
import select
import signal
import subprocess
import tempfile
import time


class Failed(SystemExit):
    """A contestant that did not start, answer or live; the text is one line that says why."""


def foreign(pids):
    """Processor seconds used so far by everything but this process and `pids`."""
    ticks = os.sysconf("SC_CLK_TCK")
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(v) for v in file.readline().split()[1:9]]
    own = 0
    for pid in [os.getpid(), *pids]:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                own += sum(int(v) for v in file.read().rsplit(")", 1)[1].split()[11:13])
        except OSError:
            pass  # it ended; whoever asks it next will notice
    return (sum(fields) - fields[3] - fields[4] - own) / ticks


class Contestant:
    def __init__(self, name, command, environment=None, timeout=600):
        self.name, self.pending = name, b""
        self.errors = tempfile.TemporaryFile()
        try:
            # A session of its own: what it starts ends with it.
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                            env={**os.environ, **(environment or {})}, start_new_session=True)
        except OSError as error:
            raise Failed(f"{name} cannot be started: {error}") from None
        words = self.read(timeout).split()
        if words[:1] != ["ready"]:
            self.fail("it did not say that it is ready")
        self.load_ms, self.base_kb = ([float(w) for w in words[1:3]] + [None, None])[:2]

    def fail(self, what):
        """Ends the process and raises `what` with the line of what it said that tells most, else the last one."""
        self.kill()
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.read().decode(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if re.search("not support|[Nn]o conversion|has no layer|no rule", line)]
        said = (telling or lines[-1:] or [""])[0][:300]
        raise Failed(f"{self.name}: {what}" + (f": {said}" if said else ""))

    def read(self, timeout):
        """A line. What a library prints on its own does not count: answers begin with "ready" or a digit."""
        end = time.monotonic() + timeout
        while True:
            while b"\n" in self.pending:
                line, self.pending = self.pending.split(b"\n", 1)
                text = line.decode(errors="replace").strip()
                if text.startswith("ready") or text[:1].isdigit():
                    return text
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                self.fail(f"no answer within {timeout:.0f} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                status = self.process.wait()
                self.fail(f"it ended with {'signal' if status < 0 else 'status'} {abs(status)}")
            self.pending += chunk

    def ask(self, line, timeout=600):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            self.fail("it ended")
        return self.read(timeout).split()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass
        self.process.wait()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except OSError:
            pass

    def close(self):
        """Asks it to end; kills it, and what it left behind, a little later."""
        if self.process.stdin.closed:
            return
        try:
            self.process.stdin.write(b"end\n")
            self.process.stdin.flush()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()
