"""Keeps child processes running: starts them, waits until they are ready, starts them again, stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import SetupError
from .process import Account, Recorded, log_tail, record_children, spawn

LogSink = Callable[[str, str], None]

_TICK = 0.1  # seconds between looks at the children
_FIRST_DELAY = 0.1  # seconds before the first restart; doubles with each failure in a row
_LONGEST_DELAY = 5.0
_STEADY = 30.0  # seconds of running after which earlier failures are forgotten


@dataclass(frozen=True)
class ManagedProcess:
    """A program and how to look after it.

    Parameters:
        name: short and unique within its supervisor; the prefix of its lines on the terminal.
        argv: absolute path of the program, then its arguments.
        log_file: takes stdout and stderr; its folder exists.
        env: the whole environment; ours when None.
        ready: whether it serves now, answered within a second, "not yet" being False. None: running is ready.
        ready_timeout: seconds until a start counts as failed.
        start_attempts: how often it may end before it was ever ready.
        restart: whether an end that nobody asked for is followed by a new start.
        stop_signal: asks it to end; also sent when our own process dies.
        grace: seconds between that and SIGKILL.
        account: who it runs as (needs root); ourselves when None.
        pass_fds: descriptors it inherits under the same numbers.
    """

    name: str
    argv: Sequence[str]
    log_file: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    ready: Callable[[], bool] | None = None
    ready_timeout: float = 60.0
    start_attempts: int = 1
    restart: bool = True
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    account: Account | None = None
    pass_fds: Sequence[int] = ()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; the calling thread must live as long as the child should (see `spawn`)."""
        return spawn(
            self.argv,
            log_file=self.log_file,
            env=self.env,
            cwd=self.cwd,
            death_signal=self.stop_signal,
            account=self.account,
            pass_fds=self.pass_fds,
        )


class _Child:
    """One managed process and its present life. Changed by the supervisor's thread under its lock."""

    def __init__(self, spec: ManagedProcess) -> None:
        self.spec = spec
        self.popen: subprocess.Popen[bytes] | None = None
        self.started = 0.0  # monotonic seconds
        self.start_at = 0.0
        self.failures = 0
        self.ready = spec.ready is None
        self.error: str | None = None
        self.log_offset = spec.log_file.stat().st_size if spec.log_file.exists() else 0

    @property
    def over(self) -> bool:
        """Ended, and not to be started again."""
        return self.error is not None

    def look_after(self) -> bool:
        """Start it if it is due, note it if it ended. True when its pid changed."""
        now = time.monotonic()
        if self.over:
            return False
        if self.popen is None:
            if now < self.start_at:
                return False
            return self._start(now)
        code = self.popen.poll()
        if code is None:
            return False
        self.popen = None
        self._ended(code, now)
        return True

    def _start(self, now: float) -> bool:
        try:
            self.popen = self.spec.start()
        except OSError as error:
            self.error = f"{self.spec.name} could not be started: {error}"
            return False
        self.started = now
        return True

    def _ended(self, code: int, now: float) -> None:
        self.failures = 1 if now - self.started > _STEADY else self.failures + 1
        # One that has never served is not helped by trying for ever.
        failed_start = not self.ready and self.failures >= self.spec.start_attempts
        if not self.spec.restart or failed_start:
            self.error = f"{self.spec.name} ended with {_describe(code)}"
            return
        self.start_at = now + min(_FIRST_DELAY * 2.0 ** (self.failures - 1), _LONGEST_DELAY)

    def forward_log(self, sink: LogSink) -> None:
        """Hand the complete lines that are new in the log file to `sink`."""
        with suppress(FileNotFoundError), self.spec.log_file.open("rb") as log:
            if os.fstat(log.fileno()).st_size < self.log_offset:
                self.log_offset = 0  # it was rotated
            log.seek(self.log_offset)
            data = log.read()
            complete = data[: data.rfind(b"\n") + 1]
            self.log_offset += len(complete)
            for line in complete.decode(errors="replace").splitlines():
                sink(self.spec.name, line)


class Supervisor:
    """Looks after a group of processes from a thread of its own.

    Parameters:
        record: file that keeps the children's pids for `process.end_leftovers`; None keeps none.
        log_sink: called with (name, line) for what the children log, e.g. `print_line`; None leaves it in the
            files.
    """

    def __init__(self, *, record: Path | None = None, log_sink: LogSink | None = None) -> None:
        self._record = record
        self._log_sink = log_sink
        self._children: dict[str, _Child] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._finished = threading.Event()  # somebody stopped us, or a process is over for good
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def add(self, process: ManagedProcess) -> None:
        """Look after one more process; it starts with `start`, or at once when that was called before.

        Raises:
            ValueError: the name is taken.
        """
        with self._lock:
            if process.name in self._children:
                raise ValueError(f"{process.name} is already supervised")
            self._children[process.name] = _Child(process)
        self._wake.set()

    def start(self, on_ready: Callable[[str], None] | None = None) -> None:
        """`launch`, then `wait_ready`."""
        self.launch()
        self.wait_ready(on_ready)

    def launch(self) -> None:
        """Start all processes, and from now on each that is added, without waiting for any."""
        if self._thread is None:
            self._stopping.clear()
            self._finished.clear()
            self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
            self._thread.start()

    def wait_ready(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Wait until everything added so far is ready, or `stop` is called.

        Parameters:
            on_ready: called with the name of each process as it becomes ready.

        Raises:
            SetupError: a process ended before it was ready, or was not ready in time. The others keep
                running: call `stop`.
        """
        waiting = [child for child in self._children.values() if not child.ready or child.popen is None]
        asked = time.monotonic()
        while waiting and not self._stopping.is_set():
            for child in list(waiting):
                if self._is_ready(child, asked + child.spec.ready_timeout):
                    waiting.remove(child)
                    if on_ready is not None:
                        on_ready(child.spec.name)
            if waiting:
                self._stopping.wait(0.02)

    def wait(self, timeout: float | None = None) -> str | None:
        """Block until `stop` is called, a process is over for good, or the time is up.

        Parameters:
            timeout: seconds; None waits for ever (Ctrl-C interrupts it).

        Returns:
            What happened to the process that is over, as a sentence; None in the other cases.
        """
        self._finished.wait(timeout)
        return next((child.error for child in self._children.values() if child.error), None)

    def pids(self) -> dict[str, int]:
        """The pid of every child that runs now, by name."""
        with self._lock:
            return {
                name: child.popen.pid
                for name, child in self._children.items()
                if child.popen is not None and child.popen.poll() is None
            }

    def stop(self) -> None:
        """End all children, politely first, and return when they are gone. Harmless when nothing runs."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._finished.set()

    def _is_ready(self, child: _Child, deadline: float) -> bool:
        if child.error is not None:
            raise self._start_error(child, child.error)
        if child.popen is None:
            return False
        if child.spec.ready is None or child.spec.ready():
            child.ready = True
            return True
        if time.monotonic() > deadline:
            limit = child.spec.ready_timeout
            raise self._start_error(child, f"{child.spec.name} was not ready after {limit:.0f} seconds")
        return False

    @staticmethod
    def _start_error(child: _Child, what: str) -> SetupError:
        log_file = child.spec.log_file
        return SetupError(f"{what}. Its last lines:\n{log_tail(log_file)}", f"See {log_file}.")

    def _run(self) -> None:
        """The thread: children are started here, since the kernel ties their death signal to the thread."""
        while not self._stopping.is_set():
            with self._lock:
                changed = [child.look_after() for child in self._children.values()]
                over = any(child.over for child in self._children.values())
            if any(changed):
                self._note_pids()
            if over:
                self._finished.set()
            self._forward_logs()
            self._wake.wait(_TICK)
            self._wake.clear()
        with self._lock:
            self._end_children()
        self._forward_logs()
        self._note_pids()

    def _end_children(self) -> None:
        running = [child for child in self._children.values() if child.popen is not None]
        for child in running:
            assert child.popen is not None
            child.popen.send_signal(child.spec.stop_signal)
        asked = time.monotonic()
        for child in running:
            assert child.popen is not None
            try:
                child.popen.wait(max(0.0, asked + child.spec.grace - time.monotonic()))
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):  # it leads a session: its own children go too
                    os.killpg(child.popen.pid, signal.SIGKILL)
                child.popen.wait()
            child.popen = None
            child.ready = child.spec.ready is None

    def _note_pids(self) -> None:
        if self._record is None:
            return
        with self._lock:
            running = {
                name: Recorded(child.popen.pid, int(child.spec.stop_signal), child.spec.grace)
                for name, child in self._children.items()
                if child.popen is not None
            }
        record_children(self._record, running)

    def _forward_logs(self) -> None:
        if self._log_sink is not None:
            for child in list(self._children.values()):
                child.forward_log(self._log_sink)


def print_line(name: str, line: str) -> None:
    """A log sink: the line on the terminal, with the process's name before it."""
    sys.stdout.write(f"{name:>12} | {line}\n")
    sys.stdout.flush()


def _describe(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
