"""What the page remembers for a person, and what it starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from invokeai_saas.catalog.service import first_main_model
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Conflict, InvalidInput, PayloadTooLarge
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.studio import repository

MAX_VALUE_BYTES = 2 * MEBIBYTE
MAX_KEYS = 200
MAX_STORED_BYTES = 32 * MEBIBYTE  # of all of a person's values, as the database compressed them
_PARAMS = "params"


async def get_state(session: ReadSession, key: str) -> str | None:
    """A remembered value, opaque to us. Who has no generation settings yet gets those of the first model."""
    value = await repository.get_state(session, key)
    if value is None and key == _PARAMS:
        return starting_params(await first_main_model(session))
    return value


async def set_state(session: WriteSession, key: str, body: bytes) -> str:
    """Remembers a value, and answers it.

    Raises:
        PayloadTooLarge: longer than MAX_VALUE_BYTES.
        InvalidInput: not text.
        Conflict: more keys, or more in all, than a person may keep.
    """
    if len(body) > MAX_VALUE_BYTES:
        raise PayloadTooLarge(f"A value may have at most {MAX_VALUE_BYTES} bytes.")
    try:
        value = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(("value",), "The value must be UTF-8 text.") from error
    if "\0" in value:
        raise InvalidInput(("value",), "The value must not contain NUL characters.")
    if not await repository.set_state(session, key, value, MAX_KEYS, MAX_STORED_BYTES):
        raise _full()
    return value


def _full() -> Conflict:
    return Conflict(
        f"At most {MAX_KEYS} keys and {MAX_STORED_BYTES // MEBIBYTE} MiB can be kept. Delete some canvas"
        " snapshots first.",
        code="client_state_full",
    )


async def set_states(session: WriteSession, values: Mapping[str, str]) -> None:
    """Remembers several short values of ours, all or none. Raises Conflict like `set_state`."""
    if values and not await repository.set_states(session, values, MAX_KEYS, MAX_STORED_BYTES):
        raise _full()


async def get_states(session: ReadSession, keys: Sequence[str]) -> dict[str, str]:
    """The remembered ones among these keys, with their values."""
    return await repository.get_states(session, keys)


async def state_keys(session: ReadSession, prefix: str) -> list[str]:
    """The remembered keys that begin so."""
    return await repository.state_keys(session, prefix)


async def delete_state(session: WriteSession, key: str | None = None) -> None:
    """Forgets one key, or all."""
    await repository.delete_state(session, key)


@cache
def _page_defaults() -> dict[str, Any]:
    """The page's own first `params`, whole: it takes all of the object or none of it.

    One differs: its infill method, LaMa, downloads a model and can't run here, so an outpainting would be refused.
    """
    defaults: dict[str, Any] = orjson.loads(Path(__file__).with_name("starting_params.json").read_bytes())
    return defaults


def starting_params(model: Model | None) -> str:
    """`params` of somebody who has none: the page's defaults with the model's own settings in them.

    The page chooses a model by itself but leaves size, steps and scheduler as they are until its "use
    defaults" button is pressed, so the first picture of a small model would come out at 512 pixels and poor.

    Parameters:
        model: the main model to start with. One without settings of its own is left for the page to choose.
    """
    settings: dict[str, Any] = (model.record.get("default_settings") if model else None) or {}
    width, height = settings.get("width"), settings.get("height")
    if model is None or not width or not height:
        return orjson.dumps(_page_defaults()).decode()
    named = {"steps": "steps", "cfgScale": "cfg_scale", "scheduler": "scheduler"}
    own = {ours: settings[theirs] for ours, theirs in named.items() if settings.get(theirs) is not None}
    ratio = {"id": "1:1" if width == height else "Free", "value": width / height, "isLocked": False}
    chosen = {
        "model": {part: model.record[part] for part in ("key", "hash", "name", "base", "type")},
        "dimensions": {"width": width, "height": height, "aspectRatio": ratio},
    }
    return orjson.dumps(_page_defaults() | own | chosen).decode()
