"""A worker in a thread of the suite's process, with the mock engine unless another is given."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from invokeai_saas.settings import Settings
from invokeai_saas.worker.loop import Worker
from invokeai_saas.worker.mock import MockEngine


@asynccontextmanager
async def working(settings: Settings, engine: Any = None, **changes: Any) -> AsyncIterator[Worker]:
    """A worker in a thread. Its own `run` sets signal handlers, which only a main thread may."""
    fast = settings.model_copy(update={"heartbeat_seconds": 0.1, "mock_step_seconds": 0.01, **changes})
    worker = Worker(fast, engine or MockEngine(fast.mock_step_seconds))
    thread = threading.Thread(target=worker.run_until_drained, daemon=True)
    thread.start()
    try:
        yield worker
    finally:
        worker.drain()
        await asyncio.to_thread(thread.join, 120)
        assert not thread.is_alive()
