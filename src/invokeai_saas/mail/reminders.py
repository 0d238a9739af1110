"""Mails that nobody's action gives rise to: a trial that ends, data that will be deleted.

Who is due is worked out in the database, by functions of the schema's owner; each mail has a key, so that looking again
writes nothing twice.
"""

from __future__ import annotations

import structlog

from invokeai_saas.mail import repository
from invokeai_saas.queue.claims import Claims

log = structlog.get_logger(__name__)
_BATCH = 500


class Reminders:
    """Each method does a bounded piece of work, for any number of schedulers."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    def remind(self) -> None:
        """Trials that end within two days, and data that is deleted within seven."""
        with self._claims.transaction() as connection:
            trials = repository.remind_trials(connection, _BATCH)
            deletions = repository.remind_deletions(connection, _BATCH)
        if trials or deletions:
            log.info("people_reminded", trials=trials, deletions=deletions)
