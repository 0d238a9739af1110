"""Loopback ports that stay the same from start to start as long as nobody else takes them."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
# Below the range that Linux (32768) and macOS (49152) give to outgoing connections: a port of theirs could
# be taken by anybody's connection just while our server restarts.
_RANGE = range(15_000, 32_000)
_PATIENCE = 2.0  # seconds
_dice = (
    random.SystemRandom()
)  # what others seed, such as a property test, would lead two processes to the same ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _becomes_free(port: int, deadline: float) -> bool:
    """Waits a little: a server that was just killed holds its port until the kernel has taken it down."""
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    """A loopback port that nothing listens on. Raises RuntimeError when none was found."""
    return _unused(set())


def choose_ports(names: Iterable[str], remembered: dict[str, int]) -> dict[str, int]:
    """A free port for every name, the remembered one where it is still free.

    Parameters:
        names: what the ports are for; each gets another port.
        remembered: ports of an earlier start by name.

    Raises:
        RuntimeError: no free port was found in a thousand tries.
    """
    chosen: dict[str, int] = {}
    deadline = time.monotonic() + _PATIENCE  # for all of them together
    for name in names:
        port = remembered.get(name)
        if port is None or port in chosen.values() or not _becomes_free(port, deadline):
            port = _unused(set(chosen.values()) | set(remembered.values()))
        chosen[name] = port
    return chosen


def _unused(taken: set[int]) -> int:
    for _ in range(1000):
        port = _dice.choice(_RANGE)
        if port not in taken and is_free(port):
            return port
    raise RuntimeError(f"no free port on {LOOPBACK} in {_RANGE.start} to {_RANGE.stop - 1}")
