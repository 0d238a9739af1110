"""Becomes a program that may do little more than read what it was handed; run as a script, never imported.

    python -I -S _confined.py PARENT_PID CPU_SECONDS MEMORY_BYTES PROGRAM [ARGUMENT...]

Between fork and exec of a process with threads no Python code is safe to run, so the limits are set here, in a
process of its own: processor time, memory, no file of any size, few descriptors, no core dump, no new rights, and an
end when the parent ends (Linux). The environment is empty. Then it becomes the program.
"""

import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
DESCRIPTORS = 32


def main() -> None:
    parent, cpu_seconds, memory = (int(argument) for argument in sys.argv[1:4])
    program = sys.argv[4:]
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None, use_errno=True).prctl
        if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != parent:
            sys.exit(1)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))  # elsewhere it is not kept, or not settable
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execve(program[0], program, {})  # noqa: S606


if __name__ == "__main__":
    main()
