"""Kills a worker that no longer answers, from outside of it.

C code that keeps Python's lock (a regular expression, the power of a large number) stops every thread of a
process: its heartbeat, its listener, its signal handlers. The job's lease runs out and another worker takes it, but
the first would hang for ever, with its GPU. So a small process of its own listens at a pipe that the heartbeat
writes to, and kills the worker with SIGKILL after too long a silence. Whatever starts workers (the supervisor of one
machine, ECS) starts the next.

A job that hangs its worker ends that attempt as a lost one, like a power cut: it is tried again until
`max_attempts`, hangs that many workers for one limit each, and is then failed for good.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import TracebackType

# Standard library only: the watching process runs this very file, without site-packages.
log = logging.getLogger(__name__)

_LOOKS = 20  # that a silence consists of
_REST = b"r"
_PING = b"p"


class Watchdog:
    """Watches the process that it is started in. Safe to use from any thread.

    It begins at rest: only after the first `ping` must the next one come in time, until `rest` says that there
    is nothing to watch.

    Parameters:
        limit_seconds: the longest silence.
    """

    def __init__(self, limit_seconds: float) -> None:
        if limit_seconds <= 0:
            raise ValueError("The limit must be positive.")
        self._limit = limit_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The watching process, while there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Starts the watching process. Raises OSError when that fails."""
        if os.getpid() == 1:
            log.warning("process 1 of a container can't be killed from within: start it with an init process")
        command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(self._limit)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            # Ctrl-C and a stop of the whole group are the worker's business: it drains and needs us till then.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        # A watchdog that is itself stopped must not stop the heartbeat: a full pipe drops pings instead.
        os.set_blocking(self._process.stdin.fileno(), False)

    def ping(self) -> None:
        """Says that all is well, and that the next ping will come within the limit."""
        self._say(_PING)

    def rest(self) -> None:
        """Says that no ping need come until the next one does: no job is running."""
        self._say(_REST)

    def close(self) -> None:
        """Ends the watching process. The worker lives on unwatched."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=10)

    def __enter__(self) -> Watchdog:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _say(self, word: bytes) -> None:
        with self._lock:
            if self._process is None or self._process.stdin is None:
                return
            try:
                self._process.stdin.write(word)
            except BlockingIOError:
                pass
            except OSError as error:
                # Someone killed it. The worker goes on unwatched; the lease still guards its jobs.
                log.error("the watchdog is gone: %r", error)
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
                self._process.wait()
                self._process = None


def watch(pipe: int, limit_seconds: float, kill: Callable[[], None]) -> None:
    """Reads pings until the pipe ends, or kills after too long a silence.

    A silence is heard in short looks, one after the other. A machine that stands still (a paused virtual machine)
    takes one of them: the worker, which stood still as well, gets the others to say that it is there.

    Parameters:
        pipe: file descriptor to read from; it ends when the watched process does.
        limit_seconds: the longest silence between a ping and the next word.
        kill: called at most once.
    """
    timeout: float | None = None
    silent = 0
    while silent < _LOOKS:
        ready, _, _ = select.select([pipe], [], [], timeout)
        if not ready:
            silent += 1
            continue
        words = os.read(pipe, 4096)
        if not words:
            return
        silent = 0
        timeout = None if words.endswith(_REST) else limit_seconds / _LOOKS
    kill()


def _main(worker: int, limit_seconds: float) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with the worker, not before
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def kill() -> None:
        if os.getppid() == worker:  # else it has died since, and its number may be another's
            log.critical("worker %d was silent for %g s: killing it", worker, limit_seconds)
            os.kill(worker, signal.SIGKILL)

    watch(sys.stdin.fileno(), limit_seconds, kill)


if __name__ == "__main__":
    _main(int(sys.argv[1]), float(sys.argv[2]))
