"""Compares our API process with stock InvokeAI and judges the result by the targets in docs/requirements.md."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import peer, service
from bench.contender import ALL_NAMES, BenchError, Contender, running
from bench.load import READERS, UnderLoad, under_load
from bench.pictures import pictures
from invokeai_saas.errors import SetupError

# Wide enough for the table where the output goes to a file.
console = Console(width=None if Console().is_terminal else 110)
_PLAIN, _GZIPPED = "names plain", "names gzipped"


@dataclass
class Side:
    """A contender and what was measured of it: seconds, MiB, and loads by kind."""

    contender: Contender
    starts: list[float] = field(default_factory=list)
    idle: float = 0
    loaded: float = 0
    torch: bool = False
    loads: dict[str, list[UnderLoad]] = field(default_factory=lambda: {_PLAIN: [], _GZIPPED: []})

    def wait(self, kind: str, share: float) -> float:
        """A percentile of app/version in milliseconds: the median of the rounds, so that a burst of other work
        on this machine does not decide."""
        return median(load.percentile(share) for load in self.loads[kind])

    def reads(self, kind: str) -> float:
        """Whole galleries read a second, the median of the rounds."""
        return median(load.reads for load in self.loads[kind])


@dataclass(frozen=True)
class Figure:
    """One line of the report.

    Parameters:
        at_most: the target, our figure as a share of theirs; None where the line is for information only.
    """

    what: str
    ours: float
    theirs: float
    at_most: float | None = None

    @property
    def share(self) -> float:
        return self.ours / self.theirs

    @property
    def missed(self) -> bool:
        return self.at_most is not None and self.share > self.at_most


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the comparison. Returns: the exit code, 1 when a target is missed or nothing could be measured."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--pictures", type=int, default=20_000, help="pictures of the one person")
    parser.add_argument("--seconds", type=float, default=10, help="length of each load")
    parser.add_argument("--rounds", type=int, default=3, help="starts and loads of each kind; medians count")
    options = parser.parse_args(arguments)
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    console.print(f"Load average of the last 1, 5 and 15 minutes: {busy}. Other work blurs the figures.")
    try:
        ours, theirs = _compare(options.pictures, options.seconds, options.rounds)
    except (BenchError, SetupError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    return _report(ours, theirs, options.pictures)


def _compare(count: int, seconds: float, rounds: int) -> tuple[Side, Side]:
    """Measures both in turns, so that what else this machine does falls on either alike."""
    seeds = list(pictures(count))
    with ExitStack() as stack:
        # Walked through by the account that PostgreSQL runs as when we are root.
        folder = Path(tempfile.mkdtemp(prefix="invokeai-saas-bench-"))
        folder.chmod(0o711)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        console.print("Preparing stock InvokeAI")
        peer.install()
        theirs = Side(peer.prepare(folder / "peer", seeds))
        console.print("Preparing InvokeAI SaaS")
        ours = Side(stack.enter_context(service.prepared(folder / "service", seeds)))
        _start_in_turns((ours, theirs), rounds)
        _load_in_turns((ours, theirs), count, seconds, rounds)
    return ours, theirs


def _start_in_turns(sides: Sequence[Side], rounds: int) -> None:
    for turn in range(1, rounds + 1):
        console.print(f"Starts, round {turn} of {rounds}")
        for side in sides:
            with running(side.contender) as started:
                side.starts.append(started.seconds)


def _load_in_turns(sides: Sequence[Side], count: int, seconds: float, rounds: int) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(running(side.contender)) for side in sides]
        for side, process in zip(sides, processes, strict=True):
            side.idle = process.resident()
            _check(side.contender, count)
        for turn in range(1, rounds + 1):
            console.print(f"Loads of {seconds:.0f} s, round {turn} of {rounds}")
            for kind in (_PLAIN, _GZIPPED):
                for side in sides:
                    side.loads[kind].append(_load(side.contender, seconds, kind))
        for side, process in zip(sides, processes, strict=True):
            side.loaded = process.resident()
            side.torch = process.has_torch()


def _load(contender: Contender, seconds: float, kind: str) -> UnderLoad:
    return under_load(contender.port, contender.log_in(), seconds, compressed=kind == _GZIPPED)


def _check(contender: Contender, count: int) -> None:
    """Both must really answer with every name, or the comparison says nothing."""
    names = contender.call("GET", ALL_NAMES, token=contender.log_in())["item_names"]
    assert isinstance(names, list)
    if len(set(names)) != count:
        raise BenchError(f"{contender.name} lists {len(set(names))} of {count} pictures.")


def _figures(ours: Side, theirs: Side) -> list[Figure]:
    figures = [
        Figure("start, exec to first 200, s", median(ours.starts), median(theirs.starts), 1 / 4),
        Figure("memory after start, MiB", ours.idle, theirs.idle, 1 / 5),
        Figure("memory after the loads, MiB", ours.loaded, theirs.loaded, 1 / 5),
    ]
    for kind in (_PLAIN, _GZIPPED):
        figures += [
            Figure(f"app/version p99 ({kind}), ms", ours.wait(kind, 0.99), theirs.wait(kind, 0.99), 1 / 20),
            Figure(f"app/version p50 ({kind}), ms", ours.wait(kind, 0.5), theirs.wait(kind, 0.5)),
            Figure(f"galleries read ({kind}), 1/s", ours.reads(kind), theirs.reads(kind)),
        ]
    return figures


def _short(value: float) -> str:
    """Three figures, or all of them before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _report(ours: Side, theirs: Side, count: int) -> int:
    figures = _figures(ours, theirs)
    title = (
        f"API process, {READERS} clients reading all names of {count:,} pictures"
        f" ({os.cpu_count()} cores, Python {platform.python_version()})"
    )
    table = Table("", "InvokeAI SaaS", "stock InvokeAI", "ours / theirs", "target", "", title=title)
    for figure in figures:
        target = "" if figure.at_most is None else f"<= {figure.at_most:.2f}"
        verdict = "" if figure.at_most is None else "[red]missed[/]" if figure.missed else "[green]met[/]"
        values = [_short(value) for value in (figure.ours, figure.theirs)]
        table.add_row(figure.what, *values, f"{figure.share:.3f}", target, verdict)
    says = {True: "yes", False: "no"}
    verdict = "[red]missed[/]" if ours.torch else "[green]met[/]"
    table.add_row("torch imported", says[ours.torch], says[theirs.torch], "", "no", verdict)
    console.print(table)
    return 1 if ours.torch or any(figure.missed for figure in figures) else 0
