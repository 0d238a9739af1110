"""Links of mails, made when a mail is sent: what is secret in them is in the mail and nowhere of ours.

It stands in the address's fragment, which browsers send to no server: it is in no log and in no Referer.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from invokeai_saas.identity.recovery import repository
from invokeai_saas.settings import Settings

_BATCH = 100
_PAGES = {"verify_email": "verify-email", "reset_password": "reset-password"}


class Link(NamedTuple):
    """Parameters: seconds: how long it is good for."""

    url: str
    seconds: int


def digest(secret: str) -> bytes:
    """Secrets of links are random and long, so a plain digest keeps them as safe as a slow hash would."""
    return sha256(secret.encode()).digest()


class Links:
    """The scheduler's side: makes links, with a connection of the auth role."""

    def __init__(self, settings: Settings) -> None:
        self._site = settings.public_url.rstrip("/")
        self._seconds = {
            "verify_email": settings.verify_link_seconds,
            "reset_password": settings.reset_link_seconds,
        }

    def take_requests(self, connection: Connection[DictRow]) -> None:
        """Writes a mail for each request for a new password whose address is somebody's, and forgets old links."""
        while repository.take_requests(connection, _BATCH) == _BATCH:
            pass
        repository.forget_links(connection)

    def make(
        self, connection: Connection[DictRow], user_id: UUID, purpose: str, email: str, language: str
    ) -> Link:
        """A new link. Earlier ones stay good: a mail that is sent again may have arrived the first time."""
        secret, seconds = secrets.token_urlsafe(32), self._seconds[purpose]
        repository.insert_link(connection, user_id, purpose, digest(secret), email, seconds)
        return Link(f"{self._site}/{_PAGES[purpose]}?lang={language}#{secret}", seconds)
