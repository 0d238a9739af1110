"""`make test` fails with what fails twice, and with nothing else (docs/adr/0025-failed-tests-run-twice.md)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TWICE = Path(__file__).parents[1] / ".ci" / "twice"
GOOD = "def test_good(): Path('good').open('a').write('x')"
ONCE = "def test_once(): Path('once').exists() or (Path('once').touch(), pytest.fail('a bad moment'))"
BAD = "def test_bad(): Path('bad').open('a').write('x'), pytest.fail('a fault')"


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """`.ci/twice` over these tests, in processes as the suite's."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text("\n".join(["from pathlib import Path", "import pytest", *tests]))
    pytest_itself = [sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "xdist.plugin"]
    command = [str(TWICE), *pytest_itself, "-n", "2", "--dist", "loadfile"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def test_what_passes_runs_once(tmp_path: Path) -> None:
    ran = run(tmp_path, GOOD)
    assert ran.returncode == 0, ran.stdout
    assert "Once more" not in ran.stdout
    assert (tmp_path / "good").read_text() == "x"


def test_what_fails_once_runs_again_alone_and_both_are_told(tmp_path: Path) -> None:
    ran = run(tmp_path, GOOD, ONCE)
    assert ran.returncode == 0, ran.stdout
    first, second = ran.stdout.split("Once more")
    assert "a bad moment" in first
    assert "1 failed, 1 passed" in first
    assert "1 passed" in second
    assert (tmp_path / "good").read_text() == "x"


@pytest.mark.parametrize("others", [(), (ONCE,)], ids=["alone", "beside one that passes then"])
def test_what_fails_twice_is_a_failure(tmp_path: Path, others: tuple[str, ...]) -> None:
    ran = run(tmp_path, *others, BAD)
    assert ran.returncode == 1, ran.stdout
    assert (tmp_path / "bad").read_text() == "xx"


def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, "import nothing_of_that_name").returncode != 0


def test_no_tests_are_a_failure(tmp_path: Path) -> None:
    ran = run(tmp_path)
    assert ran.returncode == 5
    assert "Once more" not in ran.stdout
