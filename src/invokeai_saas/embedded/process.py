"""Starting a child that dies with us, and finding again the children of a life that ended badly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from .state import write_private

_LAUNCHER = Path(__file__).with_name("_launch.py")
_MAX_LOG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Account:
    """The uid and gid a child runs as."""

    uid: int
    gid: int


def spawn(
    argv: Sequence[str],
    *,
    log_file: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C at the terminal reaches only us.

    On Linux the kernel sends `death_signal` when the calling *thread* ends, however it ends: call this from a
    thread that lives as long as the child should.

    Parameters:
        argv: absolute path of the program, then its arguments.
        log_file: takes stdout and stderr, appended; its folder exists.
        env: the whole environment; ours when None.
        account: who to become before the program starts (needs root); ourselves when None.
        pass_fds: open descriptors that the child inherits under the same numbers.

    Raises:
        OSError: the interpreter could not be started.
    """
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    launch = [sys.executable, "-I", "-S", str(_LAUNCHER)]
    arguments = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    _rotate(log_file)
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [*launch, *arguments, *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )


def identity(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when it is gone.

    On Linux the kernel's start time in clock ticks since boot, with the boot's id: unlike a wall-clock start
    time it does not move when the clock is set.
    """
    try:
        if sys.platform == "linux":
            stat = Path(f"/proc/{pid}/stat").read_text()
            state, *fields = stat.rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return None if state in "ZX" else f"{boot}/{fields[18]}"
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except (OSError, psutil.NoSuchProcess):
        return None


@dataclass(frozen=True)
class Recorded:
    """A child as a later life needs to know it.

    Parameters:
        pid: its process id.
        stop_signal: asks it to end.
        grace: seconds between that and SIGKILL.
    """

    pid: int
    stop_signal: int
    grace: float


def record_children(path: Path, children: Mapping[str, Recorded]) -> None:
    """Note the children with their identities, for `end_leftovers` of a later life."""
    entries = {name: asdict(child) | {"identity": identity(child.pid)} for name, child in children.items()}
    write_private(path, json.dumps(entries))


def end_leftovers(path: Path) -> list[str]:
    """End the processes that an earlier life recorded and could not end itself.

    Parameters:
        path: the file `record_children` wrote; a missing one means that there is nothing to do.

    Returns:
        The names of the processes that were still there.
    """
    try:
        entries = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    left: dict[str, tuple[psutil.Process, float]] = {}
    for name, entry in entries.items():
        mark = entry.pop("identity")
        child = Recorded(**entry)
        if mark is None or identity(child.pid) != mark:
            continue
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(child.pid)
            process.send_signal(child.stop_signal)
            left[name] = (process, time.monotonic() + child.grace)
    for process, deadline in left.values():
        _, alive = psutil.wait_procs([process], timeout=max(0.0, deadline - time.monotonic()))
        if alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
            psutil.wait_procs(alive)
    path.unlink(missing_ok=True)
    return list(left)


def log_tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log file, for an error message."""
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 8192))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _rotate(path: Path) -> None:
    with suppress(FileNotFoundError):
        if path.stat().st_size > _MAX_LOG_BYTES:
            path.replace(path.with_suffix(".old.log"))
