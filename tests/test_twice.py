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
# A fault that shows itself only behind another test of its file.
BEHIND = "left = []\ndef test_before(): left.append(1)\ndef test_behind(): assert not left"
# In one of the two processes alone, and not again.
READ_ONCE = "import os\nif os.environ.get('PYTEST_XDIST_WORKER') == 'gw1': raise ImportError('a bad moment')"


def run(folder: Path, **files: list[str]) -> subprocess.CompletedProcess[str]:
    """`.ci/twice` over files of these tests, in processes as the suite's."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, lines in files.items():
        (folder / f"test_{name}.py").write_text(
            "\n".join(["from pathlib import Path", "import pytest", *lines])
        )
    pytest_itself = [sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "xdist.plugin"]
    command = [str(TWICE), *pytest_itself, "-n", "2", "--dist", "loadfile"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def test_what_passes_runs_once(tmp_path: Path) -> None:
    ran = run(tmp_path, one=[GOOD])
    assert ran.returncode == 0, ran.stdout
    assert "Once more" not in ran.stdout
    assert (tmp_path / "good").read_text() == "x"


def test_what_fails_once_runs_again_alone_and_both_are_told(tmp_path: Path) -> None:
    ran = run(tmp_path, one=[GOOD], other=[ONCE])
    assert ran.returncode == 0, ran.stdout
    first, second = ran.stdout.split("Once more")
    assert "a bad moment" in first
    assert "1 failed, 1 passed" in first
    assert "1 passed" in second
    assert "Passed the second time, and to be mended: test_other.py" in second
    assert (tmp_path / "good").read_text() == "x"


@pytest.mark.parametrize("others", [[], [ONCE]], ids=["alone", "beside one that passes then"])
def test_what_fails_twice_is_a_failure(tmp_path: Path, others: list[str]) -> None:
    ran = run(tmp_path, one=[*others, BAD])
    assert ran.returncode == 1, ran.stdout
    assert (tmp_path / "bad").read_text() == "xx"


def test_what_fails_behind_another_test_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, one=[BEHIND]).returncode == 1


@pytest.mark.parametrize(
    "unread", ["import nothing_of_that_name", READ_ONCE], ids=["never", "by one process, once"]
)
def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path, unread: str) -> None:
    ran = run(tmp_path, one=[unread, GOOD], other=[ONCE])
    assert ran.returncode not in (0, 1), ran.stdout
    assert "Once more" not in ran.stdout


BREAKS_ONCE = """
from pathlib import Path

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput") and not Path("broke").exists():
        Path("broke").touch()
        raise OSError
"""


def test_a_pytest_that_breaks_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(BREAKS_ONCE)
    ran = run(tmp_path, one=[GOOD])
    assert ran.returncode == 3, ran.stdout
    assert "Once more" not in ran.stdout


def test_no_tests_are_a_failure(tmp_path: Path) -> None:
    ran = run(tmp_path, one=[])
    assert ran.returncode == 5
    assert "Once more" not in ran.stdout
