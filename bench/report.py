"""What was measured, judged by the targets."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from rich.table import Table

from bench.calls import BOTH, CONNECTIONS, NAMES_GZIPPED, NAMES_UNCHANGED, Call
from bench.comparison import Plan, Side

_CROWDED = [call for call in BOTH if call.connections == CONNECTIONS]
_HEADINGS = ("", "InvokeAI SaaS", "stock InvokeAI", "ours / theirs", "target", "")


@dataclass(frozen=True)
class Figure:
    """One line of the report.

    Parameters:
        ours, theirs: None where there was nothing to measure.
        at_most, at_least: the target, our figure as a multiple of theirs; without one, a line for information.
    """

    what: str
    ours: float | None
    theirs: float | None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def share(self) -> float | None:
        """Ours as a multiple of theirs."""
        return None if self.ours is None or self.theirs is None else self.ours / self.theirs

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:.2f}"
        return "" if self.at_least is None else f">= {self.at_least:.0f}"

    @property
    def verdict(self) -> str:
        """ "met", "missed", or nothing where there is no target."""
        if not self.target:
            return ""
        if self.share is None:
            return "missed"
        missed = self.share > self.at_most if self.at_most is not None else self.share < (self.at_least or 0)
        return "missed" if missed else "met"

    def cells(self) -> tuple[str, ...]:
        """The line's text, column by column."""
        return (self.what, *map(_short, (self.ours, self.theirs, self.share)), self.target, self.verdict)


@dataclass(frozen=True)
class Report:
    """A run's figures."""

    title: str
    figures: Sequence[Figure]
    torch: tuple[bool, bool]

    @property
    def missed(self) -> bool:
        """Whether any target was."""
        return any(row[-1] == "missed" for row in self.rows())

    def rows(self) -> list[tuple[str, ...]]:
        ours, theirs = ("yes" if found else "no" for found in self.torch)
        return [figure.cells() for figure in self.figures] + [
            ("torch imported", ours, theirs, "", "no", "missed" if self.torch[0] else "met")
        ]

    def table(self) -> Table:
        """For a terminal."""
        colours = {"met": "[green]met[/]", "missed": "[red]missed[/]", "": ""}
        table = Table(*_HEADINGS, title=self.title)
        for row in self.rows():
            table.add_row(*row[:-1], colours[row[-1]])
        return table

    def markdown(self) -> str:
        """For docs/benchmarks.md."""
        lines = [_HEADINGS, ("---",) * len(_HEADINGS), *self.rows()]
        return f"{self.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def report(ours: Side, theirs: Side, plan: Plan) -> Report:
    """Both sides' figures, in the order of docs/benchmarks.md."""
    library = plan.library
    title = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}:"
        f" {library.pictures:,} pictures of one person among {library.pictures + library.others:,},"
        f" {library.boards} boards, {CONNECTIONS} connections"
    )
    figures = [*_process(ours, theirs), *_rates(ours, theirs), *_waits(ours, theirs)]
    return Report(title, figures, (ours.torch, theirs.torch))


def _process(ours: Side, theirs: Side) -> Iterator[Figure]:
    yield Figure("start, exec to first 200, s", median(ours.starts), median(theirs.starts), at_most=1 / 4)
    yield Figure("memory after start, MiB", ours.idle, theirs.idle, at_most=1 / 5)
    yield Figure("memory after the loads, MiB", ours.loaded, theirs.loaded, at_most=1 / 5)


def _rates(ours: Side, theirs: Side) -> Iterator[Figure]:
    for call in BOTH:
        yield Figure(f"{call.title}, 1/s", ours.rate(call), theirs.rate(call), at_least=call.at_least)
        if call is NAMES_GZIPPED:  # stock InvokeAI answers that question whole, whatever it is asked
            unchanged = ours.rate(NAMES_UNCHANGED) if ours.loads[NAMES_UNCHANGED] else None
            title = f"{NAMES_UNCHANGED.title}, 1/s"
            yield Figure(title, unchanged, theirs.rate(call), at_least=NAMES_UNCHANGED.at_least)
    for call in BOTH:
        if call.body is not None:
            jobs = [median(side.jobs[call]) for side in (ours, theirs)]
            yield Figure(f"jobs run meanwhile ({call.title}), 1/s", *jobs)


def _waits(ours: Side, theirs: Side) -> Iterator[Figure]:
    def version(what: str, calls: Sequence[Call], at_most: float | None = None) -> Figure:
        mine, stock = (side.version_wait(calls, 0.99) for side in (ours, theirs))
        return Figure(f"app/version p99 ({what}), ms", mine, stock, at_most)

    yield version("all loads", _CROWDED, 1 / 20)
    for call in _CROWDED:
        yield version(call.title, [call])
    for share in (0.5, 0.99):
        for call in BOTH:
            waits = [side.wait(call, share) for side in (ours, theirs)]
            yield Figure(f"{call.title} p{share * 100:.0f}, ms", *waits)


def _short(value: float | None) -> str:
    """Three figures, or all of them before the point."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
