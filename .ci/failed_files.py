"""A plugin of pytest: writes down the files in which tests failed, and tells those from a run that went wrong.

Under pytest-xdist a run whose processes did not even find the same tests ends like one in which a test failed.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--failed-files", metavar="FILE", help="Where the files of failed tests are written down"
    )


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("--failed-files")
    if target and not hasattr(config, "workerinput"):  # the process that the others report to
        config.pluginmanager.register(_FailedFiles(Path(target)))


class _FailedFiles:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._files: set[str] = set()
        self._found_all = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._files.add(report.nodeid.partition("::")[0])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._found_all = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._target.write_text("".join(f"{name}\n" for name in sorted(self._files)))
        if session.exitstatus == pytest.ExitCode.TESTS_FAILED and not (self._found_all and self._files):
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
