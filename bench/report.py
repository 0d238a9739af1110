"""What was measured, judged by the targets."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from rich.table import Table

from bench.calls import CONNECTIONS, NAMES_GZIPPED, NAMES_UNCHANGED, Call
from bench.comparison import Plan, Side

_TARGETS = ("", "InvokeAI SaaS", "stock InvokeAI", "ours / theirs", "target", "")
_WAITS = (
    "waits in ms: p50 / p99",
    "InvokeAI SaaS",
    "stock InvokeAI",
    "app/version: ours",
    "stock InvokeAI's",
)
_COSTS = ("a core's time for an answer, ms", "our API", "our database", "stock InvokeAI")
_LEDGER = ("", "InvokeAI SaaS", "naive version", "ours / naive", "target", "")
_COLOURS = {"met": "[green]met[/]", "missed": "[red]missed[/]"}


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
        """The target in words; empty without one."""
        if self.at_most is not None:
            return f"<= {self.at_most:.2f}"
        return "" if self.at_least is None else f">= {self.at_least:g}"

    @property
    def verdict(self) -> str:
        """Whether the target is met or missed: missed, too, where we had nothing to measure. Empty without one."""
        if not self.target:
            return ""
        share = self.share
        if share is None:
            return "missed"
        met = share <= self.at_most if self.at_most is not None else share >= (self.at_least or 0)
        return "met" if met else "missed"

    def cells(self) -> tuple[str, ...]:
        """The line's text, column by column."""
        return (self.what, *map(short, (self.ours, self.theirs, self.share)), self.target, self.verdict)


@dataclass(frozen=True)
class Report:
    """A run's figures.

    Parameters:
        targets: the lines that are judged, and those that explain them.
        waits: how long each call took, and app/version meanwhile.
        costs: what each answer cost of a core's time.
    """

    title: str
    targets: Sequence[tuple[str, ...]]
    waits: Sequence[tuple[str, ...]]
    costs: Sequence[tuple[str, ...]]

    @property
    def missed(self) -> bool:
        """Whether any target was."""
        return any(row[-1] == "missed" for row in self.targets)

    def tables(self) -> Iterator[Table]:
        """For a terminal."""
        for headings, rows in self._parts():
            table = Table(*headings, title=self.title if rows is self.targets else None)
            for row in rows:
                table.add_row(*row[:-1], _COLOURS.get(row[-1], row[-1]))
            yield table

    def markdown(self) -> str:
        """For docs/benchmarks.md."""
        return "\n".join([f"{self.title}\n", *(_markdown(*part) for part in self._parts())])

    def _parts(self) -> Iterator[tuple[Sequence[str], Sequence[tuple[str, ...]]]]:
        yield _TARGETS, self.targets
        yield _WAITS, self.waits
        yield _COSTS, self.costs


@dataclass(frozen=True)
class LedgerReport(Report):
    """The ledger's figures, beside the naive version instead of stock InvokeAI."""

    def _parts(self) -> Iterator[tuple[Sequence[str], Sequence[tuple[str, ...]]]]:
        yield _LEDGER, self.targets


def ledger_report(figures: Sequence[Figure], connections: int) -> LedgerReport:
    """Judged like everything else."""
    title = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}:"
        f" the ledger, {connections} connections"
    )
    return LedgerReport(title, [figure.cells() for figure in figures], [], [])


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def report(ours: Side, theirs: Side | None, plan: Plan) -> Report:
    """Both sides' figures. Without the other side, ours are there for information and nothing is judged."""
    library = plan.library
    title = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}:"
        f" {library.pictures:,} pictures of one person among {library.pictures + library.others:,},"
        f" {library.boards} boards, {CONNECTIONS} connections"
    )
    rows = [figure.cells() for figure in _figures(ours, theirs, plan.calls)]
    says = ["-" if side is None else "yes" if side.torch else "no" for side in (ours, theirs)]
    rows.append(("torch imported", *says, "", "no", "missed" if ours.torch else "met"))
    if theirs is None:
        rows = [(*row[:-2], "", "") for row in rows]
    return Report(title, rows, list(_waits(ours, theirs, plan.calls)), list(_costs(ours, theirs, plan.calls)))


def _figures(ours: Side, theirs: Side | None, calls: Sequence[Call]) -> Iterator[Figure]:
    def both(value: Callable[[Side], float]) -> tuple[float, float | None]:
        return value(ours), None if theirs is None else value(theirs)

    yield Figure("start, exec to first 200, s", *both(lambda side: median(side.starts)), at_most=1 / 4)
    yield Figure("memory after start, MiB", *both(lambda side: side.idle), at_most=1 / 5)
    yield Figure("memory after the loads, MiB", *both(lambda side: side.loaded), at_most=1 / 5)
    for call in calls:
        mine, stock = both(lambda side, call=call: side.rate(call))  # type: ignore[misc]
        yield Figure(f"{call.title}, 1/s", mine, stock, at_least=call.at_least)
        if call is NAMES_GZIPPED:  # stock InvokeAI answers that question whole, whatever it is asked
            unchanged = ours.rate(NAMES_UNCHANGED) if ours.loads[NAMES_UNCHANGED] else None
            yield Figure(f"{NAMES_UNCHANGED.title}, 1/s", unchanged, stock, at_least=NAMES_UNCHANGED.at_least)
        if call.body is not None:
            run = both(lambda side, call=call: median(side.jobs[call]))  # type: ignore[misc]
            yield Figure("jobs run meanwhile, 1/s", *run)
    crowded = [call for call in calls if call.connections == CONNECTIONS]
    if crowded:
        waits = both(lambda side: side.version_wait(crowded, 0.99))
        yield Figure("app/version p99 under all loads, ms", *waits, at_most=1 / 20)


def _waits(ours: Side, theirs: Side | None, calls: Sequence[Call]) -> Iterator[tuple[str, ...]]:
    def cell(side: Side | None, wait: Callable[[Side, float], float]) -> str:
        return "-" if side is None else " / ".join(short(wait(side, share)) for share in (0.5, 0.99))

    for call in calls:
        cells = [
            cell(side, wait)
            for wait in (
                lambda side, share, call=call: side.wait(call, share),
                lambda side, share, call=call: side.version_wait([call], share),
            )
            for side in (ours, theirs)
        ]
        yield (call.title, *cells)


def _costs(ours: Side, theirs: Side | None, calls: Sequence[Call]) -> Iterator[tuple[str, ...]]:
    def part(side: Side | None, call: Call, which: int) -> str:
        return "-" if side is None else short(median(spent[which] for spent in side.cpu[call]))

    for call in calls:
        yield (call.title, part(ours, call, 0), part(ours, call, 1), part(theirs, call, 0))


def short(value: float | None) -> str:
    """Three figures, or all of them before the point; a dash for nothing."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
