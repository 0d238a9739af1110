"""The ledger's part of the benchmark, in small."""

from __future__ import annotations

from bench import ledger
from bench.report import Figure, ledger_report


def test_both_versions_are_measured_and_the_books_are_checked() -> None:
    said: list[str] = []
    with ledger.own_folder() as folder:
        figures = ledger.measure(folder, 1, 1, said.append)
        assert folder.exists()
    assert not folder.exists()
    assert len(said) == 2
    assert [figure.target for figure in figures] == [">= 1.1", ">= 1"]
    assert all(figure.ours and figure.theirs for figure in figures)


def test_a_ledger_that_is_slower_misses_its_target() -> None:
    slow = ledger_report([Figure("pairs", 109.0, 100.0, at_least=1.1)], 16)
    fast = ledger_report([Figure("pairs", 111.0, 100.0, at_least=1.1)], 16)
    assert (slow.missed, fast.missed) == (True, False)
    assert "| pairs | 109 | 100 | 1.09 | >= 1.1 | missed |" in slow.markdown()
