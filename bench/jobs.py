"""The queue of the person who is measured: what became of the jobs, and how it is emptied."""

from __future__ import annotations

import time

from bench.contender import BenchError, Contender
from bench.load import Load

_EMPTYING = 120.0  # seconds that a queue may take to be emptied


def jobs_run(contender: Contender, token: str, load: Load) -> float:
    """Jobs that the processor ran a second during a load that queued them.

    Raises:
        BenchError: a job that was answered for is not there, or none was run.
    """
    queue = _queue(contender, token)
    if queue["total"] != load.answered:
        raise BenchError(f"{contender.name} answered {load.answered} times and holds {queue['total']} jobs.")
    if queue["failed"] or not queue["completed"]:
        raise BenchError(f"{contender.name}: the processor does not run jobs as it should: {queue}")
    return queue["completed"] / load.seconds


def empty_queue(contender: Contender, token: str) -> None:
    """Removes all jobs, the running one too, so that the next load begins as this one did.

    Raises:
        BenchError: jobs are left after two minutes.
    """
    deadline = time.monotonic() + _EMPTYING
    while _queue(contender, token)["total"]:
        if time.monotonic() > deadline:
            raise BenchError(f"{contender.name}: the queue is not empty after {_EMPTYING:.0f} s.")
        contender.call("PUT", "/api/v1/queue/default/clear", token=token)
        time.sleep(0.2)


def _queue(contender: Contender, token: str) -> dict[str, int]:
    answer = contender.call("GET", "/api/v1/queue/default/status", token=token)["queue"]
    assert isinstance(answer, dict)
    return answer
