"""What InvokeAI's page asks about the application, and what it keeps for a person between visits."""

from __future__ import annotations

import asyncio
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from invokeai_saas.errors import InvalidInput, NotFound, PayloadTooLarge
from invokeai_saas.identity.access import Reader, Shared, Writer, caller
from invokeai_saas.studio import prompts, service
from invokeai_saas.studio.schemas import (
    AppVersion,
    DynamicPrompts,
    DynamicPromptsRequest,
    Fonts,
    GenerationDevice,
    StateKey,
)

public = APIRouter(prefix="/api/v1")
router = APIRouter(prefix="/api/v1", dependencies=[Depends(caller)])
# What the page keeps is the person's, whatever the queue in its path is called.
state_router = APIRouter(prefix="/client_state/{queue_id}", tags=["client_state"])


async def _state(request: Request) -> bytes:
    """The value, read no further than it may be long, and before a transaction is open.

    InvokeAI's page sends it as plain text, its API's clients as a JSON string.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > service.MAX_VALUE_BYTES:
            raise PayloadTooLarge(f"A value may have at most {service.MAX_VALUE_BYTES} bytes.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return _json_string(bytes(body))
    return bytes(body)


def _json_string(body: bytes) -> bytes:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(("value",), "The value must be a JSON string.") from error
    if not isinstance(value, str):
        raise InvalidInput(("value",), "The value must be a JSON string.")
    return value.encode()


StateValue = Annotated[bytes, Depends(_state)]
# The body is read by hand, so it is described by hand.
_STATE_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "string"}}}}
}


@public.get("/app/version", tags=["app"])
async def version(shared: Shared) -> AppVersion:
    """The InvokeAI release whose contract we speak; also what health checks ask."""
    return AppVersion(version=shared.nodes.invokeai_version)


@router.get("/app/app_deps", tags=["app"])
async def dependencies(shared: Shared) -> dict[str, str | None]:
    """What the page's About dialog lists. Of our server it names only what it speaks for."""
    return {"InvokeAI": shared.nodes.invokeai_version}


@router.get("/app/patchmatch_status", tags=["app"])
async def patchmatch_status() -> bool:
    """Workers install PatchMatch with the engine, so the page may offer it for infilling."""
    return True


@router.get("/app/generation_device_options", tags=["app"])
async def generation_devices() -> list[GenerationDevice]:
    """A plan has a GPU tier, and the queue chooses the worker: there is nothing to choose here."""
    return []


@router.get("/app/external_providers/status", tags=["app"])
async def external_providers() -> list[dict[str, str]]:
    """Third-party generation services: none is connected yet."""
    return []


@router.post("/utilities/dynamicprompts", tags=["utilities"])
async def dynamic_prompts(body: DynamicPromptsRequest) -> DynamicPrompts:
    """The prompts that `{a|b}` stands for."""
    return await asyncio.to_thread(prompts.expand, body)  # ten thousand prompts take a while


@router.get("/utilities/fonts", tags=["utilities"])
async def fonts() -> Fonts:
    """Fonts that the server adds to the browser's own: none."""
    return Fonts()


@router.get("/utilities/fonts/{font_path:path}", tags=["utilities"], response_class=Response)
async def font(font_path: str) -> Response:
    """A font of the server's. As the list says, there is none."""
    raise NotFound("This font")


@state_router.get("/get_by_key", response_model=str | None)
async def get_state(key: StateKey, session: Reader) -> Response:
    return _text(await service.get_state(session, key))


@state_router.post("/set_by_key", response_model=str, openapi_extra=_STATE_BODY)
async def set_state(key: StateKey, value: StateValue, session: Writer) -> Response:
    """Remembers a value under a key."""
    return _text(await service.set_state(session, key, value))


@state_router.get("/get_keys_by_prefix")
async def state_keys(
    prefix: Annotated[str, Query(max_length=255, pattern=r"^[^\x00]*$")], session: Reader
) -> list[str]:
    return await service.state_keys(session, prefix)


@state_router.post("/delete_by_key")
async def delete_one_state(key: StateKey, session: Writer) -> None:
    await service.delete_state(session, key)


@state_router.post("/delete")
async def delete_state(session: Writer) -> None:
    await service.delete_state(session)


def _text(value: str | None) -> Response:
    """A JSON string, or null. Values have up to megabytes, so they skip the model layer."""
    return Response(orjson.dumps(value), media_type="application/json")


router.include_router(state_router)
