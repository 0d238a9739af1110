"""One load: clients that ask a server the same thing over and over, and others that see how long something small waits.

Clients are processes of their own, so that what is measured is the server's waiting and not ours.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import client
from bench.client import Answers, Traffic
from bench.contender import HOST, VERSION, BenchError

WARM_UP = 1.5  # seconds under load before anything counts
_START = 0.7  # seconds that a process of clients needs until it asks
# The probe: a question every 50 ms, on connections enough for a server that takes 400 ms for an answer.
_PROBES = 8
_PROBE_PERIOD = 0.4  # seconds, of each
_GIVE_UP = 600.0  # seconds that the last answers may take
# Answers to one question may differ in their ids and dates, but not by more than this share of their length.
_LENGTHS_DIFFER = 0.05


@dataclass(frozen=True)
class Load:
    """What one load measured.

    Parameters:
        rate: answers a second.
        waits: seconds that each took, sorted.
        probes: seconds that each app/version took meanwhile.
        answered: how many questions were answered in all, those before anything counted included.
        seconds: how long the clients asked, from first to last.
        first: the body of the first answer.
    """

    rate: float
    waits: Sequence[float]
    probes: Sequence[float]
    answered: int
    seconds: float
    first: bytes


def percentile(waits: Sequence[float], share: float) -> float:
    """The wait in milliseconds that `share` of the requests did not exceed (nearest rank)."""
    return sorted(waits)[math.ceil(share * len(waits)) - 1] * 1000


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """An HTTP/1.1 request as it goes over the wire."""
    lines = {"Host": HOST, **headers} | ({"Content-Length": str(len(body))} if body else {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def measure(traffic: Traffic, seconds: float) -> Load:
    """Puts a load on a server.

    Parameters:
        seconds: how long to ask, after the warm-up. The last answers are waited for, and count: where an answer takes
            longer than that, each connection gets its one.

    Raises:
        BenchError: the server did not answer as it should.
    """
    probe = Traffic(traffic.port, request("GET", VERSION, {}), _PROBES, period=_PROBE_PERIOD)
    began = time.monotonic() + _START
    begin = began + WARM_UP
    answers, probed = _run((traffic, probe), begin, begin + seconds)
    _check_lengths(answers)
    return Load(
        rate=len(answers.waits) / (answers.last - begin),
        waits=sorted(answers.waits),
        probes=probed.waits,
        answered=answers.answered,
        seconds=answers.last - began,
        first=answers.first,
    )


def _run(traffics: Sequence[Traffic], begin: float, end: float) -> list[Answers]:
    context = multiprocessing.get_context("spawn")
    processes, results = [], []
    for traffic in traffics:
        ours, theirs = context.Pipe()
        process = context.Process(target=client.run, args=(traffic, begin, end, theirs), daemon=True)
        process.start()
        processes.append(process)
        results.append(ours)
    try:
        answers = []
        for result in results:
            if not result.poll(end + _GIVE_UP - time.monotonic()):
                raise BenchError(f"Answers did not come within {_GIVE_UP:.0f} s.")
            answers.append(result.recv())
    except EOFError as error:
        raise BenchError("The clients ended early; their traceback stands above.") from error
    finally:
        for process in processes:
            process.terminate()
            process.join()
    for answer in answers:
        if answer.problem:
            raise BenchError(f"Under load: {answer.problem}; the first answer was {answer.first[:300]!r}")
    return answers


def _check_lengths(answers: Answers) -> None:
    """Statuses were looked at one by one; this sees whether bodies went missing."""
    expected = answers.first_received * answers.answered
    if abs(answers.received - expected) > expected * _LENGTHS_DIFFER:
        raise BenchError(
            f"{answers.answered} answers came to {answers.received} bytes, the first one to {answers.first_received}."
        )
