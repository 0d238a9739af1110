"""Measures both sides in turns, so that what else this machine does falls on either alike."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench import peer, service
from bench.calls import BOTH, NAMES_GZIPPED, NAMES_UNCHANGED, Call
from bench.client import Traffic
from bench.contender import HOST, Contender, Running, bearer, processing, running
from bench.jobs import empty_queue, jobs_run
from bench.library import Library
from bench.load import Load, measure, percentile

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Parameters:
        seconds: length of each load.
        rounds: starts, and loads of each call; medians count.
        calls: what is asked.
        folder: where both sides' data is kept for further runs; None for a folder that goes with this one.
        alone: ours is measured without the other.
    """

    library: Library
    seconds: float
    rounds: int
    calls: Sequence[Call] = BOTH
    folder: Path | None = None
    alone: bool = False


@dataclass
class Side:
    """A contender and what was measured of it.

    Parameters:
        starts: seconds.
        idle, loaded: MiB after the start and after all loads.
        jobs: run a second while jobs were queued.
        cpu: milliseconds of a core for an answer, by the server's process and by the database beside it; the
            latter is 0 where the server has its database inside.
    """

    contender: Contender
    starts: list[float] = field(default_factory=list)
    idle: float = 0
    loaded: float = 0
    torch: bool = False
    loads: dict[Call, list[Load]] = field(default_factory=lambda: defaultdict(list))
    jobs: dict[Call, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: dict[Call, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def rate(self, call: Call) -> float:
        """Answers a second, the median of the rounds, so that a burst of other work does not decide."""
        return median(load.rate for load in self.loads[call])

    def wait(self, call: Call, share: float) -> float:
        """A percentile of the call in milliseconds, the median of the rounds."""
        return median(percentile(load.waits, share) for load in self.loads[call])

    def version_wait(self, calls: Sequence[Call], share: float) -> float:
        """A percentile of app/version in milliseconds under the loads of these calls, each as long as the others."""
        rounds = zip(*(self.loads[call] for call in calls), strict=True)
        return median(percentile([wait for load in loads for wait in load.probes], share) for loads in rounds)


def compare(plan: Plan, say: Say) -> tuple[Side, Side | None]:
    """Prepares both sides and measures them.

    Returns:
        Ours and stock InvokeAI, which is None where the plan leaves it out.

    Raises:
        BenchError: nothing can be compared; says why.
    """
    with _folder(plan) as folder, ExitStack() as stack:
        theirs = None
        if not plan.alone:
            say("Preparing stock InvokeAI")
            peer.install()
            theirs = Side(peer.prepare(folder / "peer", plan.library))
        say("Preparing InvokeAI SaaS")
        ours = Side(stack.enter_context(service.prepared(folder / "service", plan.library)))
        sides = [side for side in (ours, theirs) if side]
        _start_in_turns(sides, plan.rounds, say)
        _load_in_turns(sides, plan, say)
    return ours, theirs


@contextmanager
def _folder(plan: Plan) -> Iterator[Path]:
    """Where the data lies: the plan's folder, which is kept, or one for this run alone.

    It is walked through by the account that PostgreSQL runs as when we are root.
    """
    if plan.folder:
        plan.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        yield plan.folder.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="invokeai-saas-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start_in_turns(sides: Sequence[Side], rounds: int, say: Say) -> None:
    for turn in range(1, rounds + 1):
        say(f"Starts, round {turn} of {rounds}")
        for side in sides:
            with running(side.contender) as started:
                side.starts.append(started.seconds)


def _load_in_turns(sides: Sequence[Side], plan: Plan, say: Say) -> None:
    """Both run all the time, since a loaded process is what is weighed; but only one is under load at a time."""
    with ExitStack() as stack:
        started = [(side, stack.enter_context(running(side.contender))) for side in sides]
        for side, process in started:
            side.idle = process.resident()
            stack.enter_context(processing(side.contender))
        for turn in range(1, plan.rounds + 1):
            for call in plan.calls:
                for side, process in started:
                    _load(side, process, call, plan)
                rates = ", ".join(f"{side.contender.name} {side.loads[call][-1].rate:.3g}" for side in sides)
                say(f"Round {turn} of {plan.rounds}: {call.title}, 1/s: {rates}")
                if call is NAMES_GZIPPED:
                    _load_unchanged(*started[0], plan)
        for side, process in started:
            side.loaded = process.resident()
            side.torch = process.has_torch()


def _load(side: Side, process: Running, call: Call, plan: Plan, validator: str = "") -> None:
    contender = side.contender
    token = contender.log_in()
    traffic = Traffic(contender.port, call.request(token, validator), call.connections, call.statuses)
    before = process.cpu(), contender.database_cpu()
    load = measure(traffic, plan.seconds)
    spent = process.cpu() - before[0], contender.database_cpu() - before[1]
    call.require_whole(load.first, plan.library)
    side.loads[call].append(load)
    side.cpu[call].append((spent[0] * 1000 / load.answered, spent[1] * 1000 / load.answered))
    if call.body is not None:
        side.jobs[call].append(jobs_run(contender, token, load))
        empty_queue(contender, token)


def _load_unchanged(ours: Side, process: Running, plan: Plan) -> None:
    """Asks with the validator of the answer before; nothing is measured where there is none."""
    validator = _validator(ours.contender)
    if validator:
        _load(ours, process, NAMES_UNCHANGED, plan, validator)


def _validator(contender: Contender) -> str:
    connection = HTTPConnection(HOST, contender.port, timeout=60)
    try:
        headers = {"Accept-Encoding": "gzip"} | bearer(contender.log_in())
        connection.request("GET", NAMES_UNCHANGED.path, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.getheader("ETag", "")
    finally:
        connection.close()
