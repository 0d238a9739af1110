"""How an API process is served. The options are in one place for the command line and the tests."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from socket import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from invokeai_saas.settings import Settings

# How long a connection that rests stays open: longer than a load balancer keeps it (`idle_seconds` of its Terraform
# module), which would otherwise send a request just as we close it, and say 502.
KEEP_ALIVE_SECONDS = 130


class _Server(uvicorn.Server):
    """Once it stands, what startup has made is out of the garbage collector's sight: it lives as long as the process,
    and looking through a hundred megabytes of it every so often would make everybody wait for a tenth of a second.
    """

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()


def serve(app: ASGIApp, settings: Settings) -> None:
    """Serves until told to stop. Ends the process with 3 when it could not start, as uvicorn does."""
    server = _Server(uvicorn.Config(app, **server_options(settings)))
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(3)


def server_options(settings: Settings) -> dict[str, Any]:
    """Options of uvicorn.

    Forwarded addresses are believed from the load balancers that the settings name, and from nobody else: rate
    limits count by address, and uvicorn by itself would believe whoever connects from this machine.
    """
    return {
        "host": settings.host,
        "port": settings.port,
        "log_level": "warning",
        "access_log": False,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": 5,
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or [],
    }
