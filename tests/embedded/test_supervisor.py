"""The supervisor with small programs of our own."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from invokeai_saas.embedded.process import Recorded, end_leftovers, identity, record_children, spawn
from invokeai_saas.embedded.supervisor import ManagedProcess, Supervisor
from invokeai_saas.errors import SetupError

from .helpers import gone, until

SERVES = "import pathlib, sys, time; print('up', flush=True); pathlib.Path('up').touch(); time.sleep(60)"
STUBBORN = (
    "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path('up').touch(); time.sleep(60)"
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(record=tmp_path / "pids") as one:
        yield one


def program(folder: Path, code: str, name: str = "one", **options: object) -> ManagedProcess:
    values: dict[str, object] = {
        "ready": (folder / "up").exists,
        "ready_timeout": 60.0,
        "cwd": folder,
        "log_file": folder / f"{name}.log",
    }
    return ManagedProcess(name=name, argv=[sys.executable, "-I", "-S", "-c", code], **(values | options))  # type: ignore[arg-type]


def test_starts_and_stops(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, SERVES))
    said: list[str] = []
    supervisor.start(said.append)
    pid = supervisor.pids()["one"]
    assert said == ["one"]
    assert os.getsid(pid) == pid  # Ctrl-C at our terminal does not reach it
    supervisor.stop()
    assert gone([pid], seconds=0)
    assert supervisor.pids() == {}


def replaced(supervisor: Supervisor) -> None:
    """Kill the process and wait for the next one."""
    old = supervisor.pids()
    psutil.Process(old["one"]).kill()
    until(lambda: old | supervisor.pids(), old.__ne__)


def test_starts_the_killed_again_with_growing_pauses(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, SERVES))
    supervisor.start()
    pauses = []
    for _ in range(3):
        began = time.monotonic()
        replaced(supervisor)
        pauses.append(time.monotonic() - began)
    assert pauses[2] > 0.4  # 0.1, 0.2, 0.4 seconds


def test_start_that_fails_says_why(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, "raise SystemExit('no port is free')"))
    with pytest.raises(SetupError, match="one ended with exit status 1") as failed:
        supervisor.start()
    assert "no port is free" in str(failed.value)
    assert str(tmp_path / "one.log") in failed.value.remedy


def test_missing_program_says_so(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(
        ManagedProcess(
            name="absent", argv=[str(tmp_path / "absent")], log_file=tmp_path / "log", ready=lambda: False
        )
    )
    with pytest.raises(SetupError, match="FileNotFoundError"):
        supervisor.start()


def test_start_that_takes_too_long_is_an_error(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, "import time; time.sleep(60)", ready_timeout=0.5))
    with pytest.raises(SetupError, match="not ready after"):
        supervisor.start()


def test_start_is_tried_as_often_as_allowed(supervisor: Supervisor, tmp_path: Path) -> None:
    third_time = (
        "import os, time; n = len(os.listdir('tries')); open(f'tries/{n}', 'w'); n < 2 and exit(1);" + SERVES
    )
    (tmp_path / "tries").mkdir()
    supervisor.add(program(tmp_path, third_time, start_attempts=3))
    supervisor.start()
    assert len(list((tmp_path / "tries").iterdir())) == 3


def test_wait_reports_the_end_of_one_that_is_not_restarted(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, "raise SystemExit(3)", ready=None, restart=False))
    supervisor.launch()
    assert supervisor.wait(120) == "one ended with exit status 3"


def test_wait_returns_when_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, SERVES))
    supervisor.start()
    answers: list[str | None] = []
    waiter = threading.Thread(target=lambda: answers.append(supervisor.wait()))
    waiter.start()
    supervisor.stop()
    waiter.join(120)
    assert answers == [None]


def test_stubborn_process_is_killed_after_its_grace(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, STUBBORN, grace=0.3))
    supervisor.start()
    pid = supervisor.pids()["one"]
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began >= 0.3
    assert gone([pid], seconds=0)


def test_name_is_taken_once(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.add(program(tmp_path, SERVES))
    with pytest.raises(ValueError, match="already"):
        supervisor.add(program(tmp_path, SERVES))


def test_log_lines_are_passed_on_with_their_name(tmp_path: Path) -> None:
    lines: list[tuple[str, str]] = []
    (tmp_path / "one.log").write_text("from an earlier life\n")
    with Supervisor(log_sink=lambda name, line: lines.append((name, line))) as supervisor:
        supervisor.add(program(tmp_path, SERVES))
        supervisor.start()
        until(lambda: lines, bool)
    assert lines == [("one", "up")]
    assert (tmp_path / "one.log").read_text() == "from an earlier life\nup\n"


def test_leftovers_are_ended_by_pid_and_start_time(tmp_path: Path) -> None:
    ours = spawn([sys.executable, "-c", "import time; time.sleep(60)"], log_file=tmp_path / "log")
    other = spawn([sys.executable, "-c", "import time; time.sleep(60)"], log_file=tmp_path / "log")
    children = {"ours": ours, "other": other}
    record = tmp_path / "pids"
    record_children(
        record, {name: Recorded(child.pid, signal.SIGTERM, 5.0) for name, child in children.items()}
    )
    entries = json.loads(record.read_text())
    entries["other"]["identity"] = str(identity(other.pid)) + "0"  # as if that pid had been given away since
    record.write_text(json.dumps(entries))
    try:
        assert end_leftovers(record) == ["ours"]
        assert gone([ours.pid], seconds=0)
        assert other.poll() is None
        assert end_leftovers(record) == []
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_child_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from invokeai_saas.embedded.process import spawn;"
        "child = spawn([sys.executable, '-c', 'import time; time.sleep(60)'], log_file=pathlib.Path('log'));"
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    parent = psutil.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, cwd=tmp_path)
    child = int(parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    parent.wait()
    assert gone([child], seconds=60)
