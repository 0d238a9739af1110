"""The watchdog, over real processes that hang, stop, or do well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from invokeai_saas.worker.watchdog import Watchdog, watch

LIMIT = 1.0  # seconds
# A worker: a thread that pings, as the heartbeat does, and a main thread with the job.
WORKER = """
import re, sys, threading, time
from invokeai_saas.worker.watchdog import Watchdog

watchdog = Watchdog(float(sys.argv[1]))
watchdog.start()
over = threading.Event()

def beat():
    watchdog.ping()
    while not over.wait(0.1):
        watchdog.ping()

threading.Thread(target=beat, daemon=True).start()
print(watchdog.pid, flush=True)
"""
HANGS = {
    "regular expression": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "power": "7 ** 10**9",
    "range": "max(range(10**12))",
}


@contextmanager
def worker(job: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a job, and the number of its watchdog's process."""
    command = [sys.executable, "-c", WORKER + job, str(LIMIT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(_line(process.stdout))
        finally:
            process.kill()


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def _ends(pid: int, seconds: float = 10) -> bool:
    """Whether a process that is not our child ends in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            if state == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("job", HANGS.values(), ids=HANGS.keys())
def test_a_worker_whose_threads_cannot_run_is_killed(job: str) -> None:
    with worker(job) as (process, watching):
        started = time.monotonic()
        _, errors = process.communicate(timeout=20)
        took = time.monotonic() - started
        assert process.returncode == -signal.SIGKILL
        assert took < LIMIT + 5
        assert "was silent" in errors
        assert _ends(watching)


def test_a_worker_that_pings_lives_longer_than_the_limit_and_takes_its_watchdog_along() -> None:
    with worker(f"time.sleep({3 * LIMIT}); print('done', flush=True)") as (process, watching):
        output, errors = process.communicate(timeout=20)
        assert (process.returncode, output, errors) == (0, "done\n", "")
        assert _ends(watching)


def test_a_worker_at_rest_may_be_silent_and_is_watched_again_by_its_next_ping() -> None:
    at_rest = (
        f"over.set(); time.sleep(0.3); watchdog.rest(); time.sleep({2 * LIMIT}); print('rested', flush=True)"
    )
    with worker(f"{at_rest}; watchdog.ping(); time.sleep(60)") as (process, _):
        assert _line(process.stdout) == "rested"
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGKILL


def test_a_worker_that_stops_pinging_of_its_own_accord_is_killed() -> None:
    with worker("over.set(); time.sleep(60)") as (process, _):
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGKILL


def test_a_closed_watchdog_bites_nobody() -> None:
    with worker(f"over.set(); watchdog.close(); time.sleep({2 * LIMIT}); watchdog.ping()") as (
        process,
        watching,
    ):
        assert _ends(watching)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_a_worker_outlives_its_watchdog() -> None:
    with Watchdog(LIMIT) as watchdog:
        assert watchdog.pid is not None
        os.kill(watchdog.pid, signal.SIGKILL)
        os.waitid(os.P_PID, watchdog.pid, os.WEXITED | os.WNOWAIT)
        watchdog.ping()
        assert watchdog.pid is None
        watchdog.ping()


def test_pings_never_wait_for_a_watchdog_that_is_stopped() -> None:
    with Watchdog(60) as watchdog:
        assert watchdog.pid is not None
        os.kill(watchdog.pid, signal.SIGSTOP)
        started = time.monotonic()
        for _ in range(100_000):  # more than a pipe holds
            watchdog.ping()
        assert time.monotonic() - started < 5
        os.kill(watchdog.pid, signal.SIGCONT)


def test_watching_ends_with_the_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"ppp")
    os.close(writing)
    killed: list[bool] = []
    watch(reading, 0.05, lambda: killed.append(True))
    os.close(reading)
    assert killed == []


def test_a_limit_is_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Watchdog(0)
