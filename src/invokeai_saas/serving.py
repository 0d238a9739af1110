"""How an API process is served: uvicorn's options, in one place for the command line and the tests."""

from __future__ import annotations

from typing import Any

from invokeai_saas.settings import Settings


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
        "timeout_graceful_shutdown": 5,
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or [],
    }
