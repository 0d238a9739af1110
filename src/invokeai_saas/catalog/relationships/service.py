"""Which models belong together, and who may say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from invokeai_saas.catalog import rights, service
from invokeai_saas.catalog.relationships import repository
from invokeai_saas.catalog.relationships.repository import Answer
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import InvalidInput, NotFound
from invokeai_saas.identity.service import Person


async def related(db: ReadSession, key: str) -> list[str]:
    """Keys of the models linked with one. Raises NotFound for a model that the person cannot see."""
    await service.require_model(db, key)
    return await repository.related_keys(db, [key])


async def related_to_any(db: ReadSession, keys: Sequence[str]) -> list[str]:
    """The same for many; keys that name nothing add nothing."""
    known = [key for key in keys if "\0" not in key]
    return await repository.related_keys(db, known) if known else []


async def relate(db: WriteSession, person: Person, one: str, other: str) -> None:
    """Links two models; linking again changes nothing.

    Raises: see `_change`.
    """
    await _change(repository.relate, db, person, one, other)


async def unrelate(db: WriteSession, person: Person, one: str, other: str) -> None:
    """Takes a link away; one that is not there changes nothing.

    Raises: see `_change`.
    """
    await _change(repository.unrelate, db, person, one, other)


async def _change(
    write: Callable[[WriteSession, str, str], Awaitable[Answer]],
    db: WriteSession,
    person: Person,
    one: str,
    other: str,
) -> None:
    """Raises:
    InvalidInput: both keys are the same.
    NotInPlan: the plan has no models of one's own.
    NotFound: a model that the person cannot see.
    Forbidden: both are shared, and the person is not of our staff.
    """
    if one == other:
        raise InvalidInput(("model_key_2",), "A model can't be linked with itself.")
    await rights.require_own_models(db, person)
    answer = "unknown" if "\0" in one + other else await write(db, one, other)
    if answer == "unknown":
        raise NotFound("This model")
    if answer == "refused":
        raise rights.staff_only()
