"""What some good calls need beside the API: a model hub, and a worker that waits for work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from invokeai_saas.settings import Settings
from tests.catalog.installs.sources import safetensors, serving
from tests.workers import working

REPOSITORY = "someone/model"  # all that the hub has
LORA = safetensors()
CHECKPOINT = safetensors({"model.diffusion_model.input_blocks.0.0.weight": bytes(64)})

_NEED_A_WORKER = {
    "POST /api/v2/models/i/{key}/reidentify",
    "POST /api/v2/models/i/bulk_reidentify",
    "PUT /api/v2/models/convert/{key}",
}


@contextmanager
def hub_nearby(settings: Settings) -> Iterator[Settings]:
    """Settings for which the model hub is a server of this machine, which only tests may ask."""
    with serving() as site:
        site.repository(REPOSITORY, {"lora.safetensors": LORA})
        changes = {
            "model_hosts": "127.0.0.1",
            "model_hub_url": site.url,
            "model_sources_on_this_machine": True,
        }
        yield settings.model_copy(update=changes)


@asynccontextmanager
async def worker_for(name: str, settings: Settings) -> AsyncIterator[None]:
    """A mock worker while an operation is called that waits for one. Others are better without: it runs their jobs."""
    if name not in _NEED_A_WORKER:
        yield
        return
    async with working(settings):
        yield
