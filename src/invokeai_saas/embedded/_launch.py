"""Becomes another program that ends when its parent does; run as a script, never imported.

    python -I -S _launch.py PARENT_PID SIGNAL UID GID PROGRAM [ARGUMENT...]

Between fork and exec of a process with threads no Python code is safe to run, so what `preexec_fn` would
do happens here, in a process of its own: give up root (UID of 0 or more), ask the kernel for SIGNAL when the
parent dies (Linux, prctl(2) PR_SET_PDEATHSIG; changing the uid clears it, hence the order), then exec, which
keeps the process id. The interpreter is started as the caller, since an unprivileged one may not reach it.
"""

import os
import sys

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 75


def main() -> None:
    parent, signal, uid, gid = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None, use_errno=True).prctl
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        if prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # it died before we asked
            sys.exit(PARENT_IS_GONE)
    os.execve(program[0], program, os.environ)  # noqa: S606


if __name__ == "__main__":
    main()
