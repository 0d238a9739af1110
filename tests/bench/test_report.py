"""The benchmark's verdicts."""

from __future__ import annotations

import pytest

from bench.report import Figure, Report


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("rate", 300, 10, at_least=30), "met"),
        (Figure("rate", 299, 10, at_least=30), "missed"),
        (Figure("wait", 5, 100, at_most=0.05), "met"),
        (Figure("wait", 6, 100, at_most=0.05), "missed"),
        (Figure("nothing of ours to measure", None, 10, at_least=10), "missed"),
        (Figure("for information", 1, 100), ""),
    ],
)
def test_verdicts(figure: Figure, verdict: str) -> None:
    assert figure.verdict == verdict
    assert Report("A run", [figure.cells()], [], []).missed == (verdict == "missed")


def test_markdown() -> None:
    report = Report(
        "A run", [Figure("rate, 1/s", 1234, 10, at_least=30).cells()], [("call", "1", "2", "3", "4")], []
    )
    lines = report.markdown().splitlines()
    assert lines[0] == "A run"
    assert "| rate, 1/s | 1,234 | 10 | 123 | >= 30 | met |" in lines
    assert "| call | 1 | 2 | 3 | 4 |" in lines
