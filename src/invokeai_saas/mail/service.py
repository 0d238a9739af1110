"""Writing mails down. They are sent by the scheduler: `mail.sending`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from invokeai_saas.db.session import AuthSessionDb, WriteSession
from invokeai_saas.mail import repository
from invokeai_saas.mail.schemas import KINDS, Kind


async def enqueue(
    db: WriteSession | AuthSessionDb,
    kind: Kind,
    key: str,
    data: Mapping[str, Any] | None = None,
    *,
    user_id: UUID | None = None,
) -> bool:
    """Writes a mail down in the transaction in hand: it goes out if that is committed, and only then.

    Parameters:
        kind: which mail.
        key: what it is about, such as the number of an invoice. A person gets one mail of a kind and key, however often
            it is asked for.
        data: what `mail.schemas` has for the kind.
        user_id: whom it is for; the session's person where left out.

    Returns:
        Whether it was new.

    Raises:
        pydantic.ValidationError: the data is not what the kind needs: a mistake of ours.
    """
    told = KINDS[kind].model_validate(data or {}).model_dump(mode="json", exclude_none=True)
    if user_id is None:
        if not isinstance(db, WriteSession):
            raise TypeError("A session without a person needs to be told whom the mail is for.")
        user_id = db.user_id
    return await repository.enqueue(db, user_id, kind, key, told) is not None
