"""What the kernel does for a connection."""

from __future__ import annotations

import socket

from invokeai_saas.db.silence import BETWEEN, IDLE, TRIES, UNACKNOWLEDGED


def kept_alive(descriptor: int) -> bool:
    """Whether a socket's other side is asked, as often as `db.silence` says, whether it is there."""
    with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as same:
        tcp = [
            same.getsockopt(socket.IPPROTO_TCP, option)
            for option in (
                socket.TCP_KEEPIDLE,
                socket.TCP_KEEPINTVL,
                socket.TCP_KEEPCNT,
                socket.TCP_USER_TIMEOUT,
            )
        ]
        asked = same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return asked == 1 and tcp == [IDLE, BETWEEN, TRIES, UNACKNOWLEDGED]
