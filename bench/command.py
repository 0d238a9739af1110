"""Our service beside stock InvokeAI, our ledger beside a naive one: judged by the targets in docs/requirements.md."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bench import ledger
from bench.calls import BOTH
from bench.comparison import Plan, Say, compare
from bench.contender import BenchError
from bench.library import Library
from bench.report import Report, ledger_report, report
from invokeai_saas.errors import SetupError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the comparison. Returns: the exit code, 1 when a target is missed or nothing could be measured."""
    options = _options(arguments)
    # TERM ends it like Ctrl-C does, wherever it was started: servers are stopped and folders removed.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    # Wide enough for the table where the output goes to a file.
    console = Console(width=None if Console().is_terminal else 120)
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    console.print(f"Load average of the last 1, 5 and 15 minutes: {busy}. Other work blurs the figures.")
    plan = Plan(
        Library(options.pictures, options.others, options.boards),
        options.seconds,
        options.rounds,
        [call for call in BOTH if _wanted(options, call.name)],
        options.folder,
        options.alone,
    )
    try:
        results = list(_measured(options, plan, console.print))
    except KeyboardInterrupt:
        return 1
    except (BenchError, SetupError) as error:
        console.print(f"[red]{error}[/]")
        return 1
    for result in results:
        console.print(*result.tables())
    if options.markdown:
        options.markdown.write_text("\n".join(result.markdown() for result in results))
    return 1 if any(result.missed for result in results) else 0


def _wanted(options: argparse.Namespace, name: str) -> bool:
    return not options.only or name in options.only


def _measured(options: argparse.Namespace, plan: Plan, say: Say) -> Iterator[Report]:
    if plan.calls:
        yield report(*compare(plan, say), plan)
    if _wanted(options, ledger.NAME):
        with ledger.own_folder() as folder:
            figures = ledger.measure(folder, options.seconds, options.rounds, say)
        yield ledger_report(figures, ledger.CONNECTIONS)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000, help="of the one person")
    parser.add_argument("--others", type=int, default=900_000, help="pictures of everybody else")
    parser.add_argument("--boards", type=int, default=50, help="of the one person")
    parser.add_argument("--seconds", type=float, default=6, help="length of each load")
    parser.add_argument("--rounds", type=int, default=3, help="starts, and loads of each call; medians count")
    parser.add_argument("--markdown", type=Path, help="a file to write the table to, too")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a tenth of the pictures, one short round: the targets are not meant for it",
    )
    names = [*(call.name for call in BOTH), ledger.NAME]
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help=f"of {', '.join(names)}")
    parser.add_argument("--folder", type=Path, help="keeps both sides' data there, and uses it again")
    parser.add_argument("--alone", action="store_true", help="ours without stock InvokeAI; nothing is judged")
    options = parser.parse_args(arguments)
    if options.quick:
        options.pictures, options.others, options.seconds, options.rounds = 10_000, 90_000, 2, 1
    return options
