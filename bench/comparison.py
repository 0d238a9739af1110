"""Measures both sides in turns, so that what else this machine does falls on either alike."""

from __future__ import annotations

import shutil
import tempfile
import time
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
from bench.contender import HOST, BenchError, Contender, bearer, processing, running
from bench.library import Library
from bench.load import Load, measure, percentile

_EMPTYING = 120.0  # seconds that a queue may take to be emptied

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
    """A contender and what was measured of it: seconds, MiB, loads, and jobs run a second while jobs were queued."""

    contender: Contender
    starts: list[float] = field(default_factory=list)
    idle: float = 0
    loaded: float = 0
    torch: bool = False
    loads: dict[Call, list[Load]] = field(default_factory=lambda: defaultdict(list))
    jobs: dict[Call, list[float]] = field(default_factory=lambda: defaultdict(list))

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
    ours = sides[0]
    with ExitStack() as stack:
        processes = [stack.enter_context(running(side.contender)) for side in sides]
        for side, process in zip(sides, processes, strict=True):
            side.idle = process.resident()
            stack.enter_context(processing(side.contender))
        for turn in range(1, plan.rounds + 1):
            for call in plan.calls:
                say(f"Round {turn} of {plan.rounds}: {call.title}")
                for side in sides:
                    _load(side, call, plan)
                if call is NAMES_GZIPPED:
                    _load_unchanged(ours, plan)
        for side, process in zip(sides, processes, strict=True):
            side.loaded = process.resident()
            side.torch = process.has_torch()


def _load(side: Side, call: Call, plan: Plan, validator: str = "") -> None:
    contender = side.contender
    token = contender.log_in()
    request = call.request(token, validator)
    load = measure(Traffic(contender.port, request, call.connections, call.statuses), plan.seconds)
    call.require_whole(load.first, plan.library)
    side.loads[call].append(load)
    if call.body is not None:
        side.jobs[call].append(_jobs_run(contender, token, load))
        _empty_queue(contender, token)


def _load_unchanged(ours: Side, plan: Plan) -> None:
    """Asks with the validator of the answer before; nothing is measured where there is none."""
    validator = _validator(ours.contender)
    if validator:
        _load(ours, NAMES_UNCHANGED, plan, validator)


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


def _queue(contender: Contender, token: str) -> dict[str, int]:
    answer = contender.call("GET", "/api/v1/queue/default/status", token=token)["queue"]
    assert isinstance(answer, dict)
    return answer


def _jobs_run(contender: Contender, token: str, load: Load) -> float:
    """Jobs that the processor ran a second during the load.

    Raises:
        BenchError: a job that was answered for is not there, or none was run.
    """
    queue = _queue(contender, token)
    if queue["total"] != load.answered:
        raise BenchError(f"{contender.name} answered {load.answered} times and holds {queue['total']} jobs.")
    if queue["failed"] or not queue["completed"]:
        raise BenchError(f"{contender.name}: the processor does not run jobs as it should: {queue}")
    return queue["completed"] / load.seconds


def _empty_queue(contender: Contender, token: str) -> None:
    """Every load begins with an empty queue."""
    deadline = time.monotonic() + _EMPTYING
    while _queue(contender, token)["total"]:
        if time.monotonic() > deadline:
            raise BenchError(f"{contender.name}: the queue is not empty after {_EMPTYING:.0f} s.")
        contender.call("PUT", "/api/v1/queue/default/clear", token=token)
        time.sleep(0.2)
