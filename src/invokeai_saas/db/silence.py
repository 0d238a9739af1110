"""A database that goes silent is noticed: its host is gone, or the way there, and nothing says so.

The kernel alone would go on sending for a quarter of an hour, and not ask at all for two hours where nothing is under
way; meanwhile a pool's connections, or a whole scheduler, wait for an answer that never comes. What an idle
connection's other side does not answer for 25 seconds, or does not acknowledge for 20, is ended here. How long a
statement takes makes no difference: the other side's kernel answers.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

IDLE, BETWEEN, TRIES = 10, 5, 3  # seconds until the other side is asked, between two questions; questions
UNACKNOWLEDGED = 20_000  # milliseconds that what was sent may stay so

# As libpq names them: https://www.postgresql.org/docs/17/libpq-connect.html
LIBPQ: Mapping[str, Any] = {
    "keepalives_idle": IDLE,
    "keepalives_interval": BETWEEN,
    "keepalives_count": TRIES,
    "tcp_user_timeout": UNACKNOWLEDGED,
}


def notice_silence(descriptor: int) -> None:
    """The same for a driver that has no such settings. Parameters: descriptor: of its socket, which stays its own."""
    with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", IDLE),
            ("TCP_KEEPINTVL", BETWEEN),
            ("TCP_KEEPCNT", TRIES),
            ("TCP_USER_TIMEOUT", UNACKNOWLEDGED),
        ):
            if hasattr(socket, option):  # not every system has each
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
