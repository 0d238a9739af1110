"""What the page remembers for a person, and what it starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from invokeai_saas.catalog.service import first_main_model
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Conflict, InvalidInput, PayloadTooLarge
from invokeai_saas.settings import MEBIBYTE
from invokeai_saas.studio import repository
from invokeai_saas.studio.starting import STARTING

MAX_VALUE_BYTES = 2 * MEBIBYTE
MAX_KEYS = 200
MAX_STORED_BYTES = 32 * MEBIBYTE  # of all of a person's values, as the database compressed them


async def get_state(session: ReadSession, key: str) -> str | None:
    """A remembered value, opaque to us. Who has none yet of what the page starts with gets it of the first model."""
    value = await repository.get_state(session, key)
    if value is None and key in STARTING:
        return STARTING[key](await first_main_model(session))
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
