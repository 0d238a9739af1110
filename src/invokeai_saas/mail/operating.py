"""What operators do with the outbox, with the owner role."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from invokeai_saas.audit.operating import note
from invokeai_saas.errors import SetupError
from invokeai_saas.mail import repository
from invokeai_saas.mail.schemas import ListedMail


def list_mails(owner_url: str, state: str | None, limit: int) -> list[ListedMail]:
    """The newest mails.

    Parameters:
        owner_url: libpq URL of the owner role.
        state: waiting, sent or failed; None for all.

    Raises:
        SetupError: there is no such state.
    """
    if state not in (None, "waiting", "sent", "failed"):
        raise SetupError(f"There is no state {state!r}.", "Choose waiting, sent or failed.")
    with psycopg.connect(owner_url, row_factory=dict_row) as connection:
        return [ListedMail.model_validate(row) for row in repository.listed(connection, state, limit)]


def retry_mails(owner_url: str, ids: Sequence[str] | None) -> int:
    """Has mails that were given up tried again; answers how many. Others that are named are left as they are.

    Parameters:
        ids: None for all of them.

    Raises:
        SetupError: an id is none.
    """
    try:
        named = None if ids is None else [UUID(given) for given in ids]
    except ValueError as error:
        raise SetupError("One of these is no mail's id.", "`admin mail list` shows the ids.") from error
    with psycopg.connect(owner_url, row_factory=dict_row) as connection:
        count = repository.retry(connection, named)
        if count:
            note(
                connection,
                "mail.retry",
                "mail",
                "all that failed" if ids is None else "named ones",
                details={"mails": count},
            )
        return count
