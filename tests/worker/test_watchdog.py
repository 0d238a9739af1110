"""The watchdog, over real processes that hang, stop, or do well."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from invokeai_saas.worker.watchdog import _LOOKS, Watchdog, watch

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

beating = threading.Thread(target=beat, daemon=True)
beating.start()
print(watchdog.pid, flush=True)
"""
HANGS = {
    "regular expression": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "power": "7 ** 10**9",
    "range": "max(range(10**12))",
}


@contextmanager
def worker(job: str, limit: float = LIMIT) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with a job, and the number of its watchdog's process."""
    command = [sys.executable, "-c", WORKER + job, str(limit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(_line(process.stdout))
        finally:
            process.kill()


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def _ends(pid: int, seconds: float = 120) -> bool:
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
        _, errors = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
        assert "was silent" in errors
        assert _ends(watching)


def test_a_worker_that_pings_lives_longer_than_the_limit_and_takes_its_watchdog_along() -> None:
    with worker("time.sleep(7); print('done', flush=True)", limit=5.0) as (process, watching):
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, output, errors) == (0, "done\n", "")
        assert _ends(watching)


def test_a_worker_at_rest_may_be_silent_and_is_watched_again_by_its_next_ping() -> None:
    at_rest = (
        f"over.set(); beating.join(); watchdog.rest(); time.sleep({2 * LIMIT}); print('rested', flush=True)"
    )
    with worker(f"{at_rest}; watchdog.ping(); time.sleep(60)") as (process, _):
        assert _line(process.stdout) == "rested"
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL


def test_a_worker_that_stops_pinging_of_its_own_accord_is_killed() -> None:
    with worker("over.set(); time.sleep(60)") as (process, _):
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL


def test_a_closed_watchdog_bites_nobody() -> None:
    with worker(f"over.set(); watchdog.close(); time.sleep({2 * LIMIT}); watchdog.ping()") as (
        process,
        watching,
    ):
        assert _ends(watching)
        process.communicate(timeout=120)
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
        for _ in range(100_000):  # more than a pipe holds: one that waited would do so for ever
            watchdog.ping()
        os.kill(watchdog.pid, signal.SIGCONT)


def test_one_look_that_lasted_too_long_kills_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stood still for minutes took worker and watchdog along: the worker gets its time to say so."""
    reading, writing = os.pipe()
    os.write(writing, b"p")
    real, looks, killed = select.select, [], []

    def look(readers: list[int], *others: Any) -> Any:
        looks.append(others[-1])
        if len(looks) == 2:  # the first after the ping
            time.sleep(3 * 0.2)
            return [], [], []
        if len(looks) == 3:
            os.write(writing, b"p")
        return real(readers, *others)

    monkeypatch.setattr(select, "select", look)
    watch(reading, 0.2, lambda: killed.append(True))
    for end in (reading, writing):
        os.close(end)
    assert killed == [True]
    assert len(looks) > 4  # the second ping was heard, and only then was it silent
    assert sum(looks[-_LOOKS:]) == pytest.approx(0.2)


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
