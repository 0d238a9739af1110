"""A test's view of the outbox and of the folder that mails go to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.mail.adapters.ways import parsed
from tests.servers import TestDatabase


@dataclass
class Mailbox:
    """Parameters: folder: where the folder adapter writes."""

    database: TestDatabase
    folder: Path

    def execute(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """SQL as the owner."""
        with psycopg.connect(self.database.owner, row_factory=dict_row) as connection:
            found = connection.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def put(self, user_id: UUID, kind: str = "welcome", key: str = "once", **data: object) -> UUID | None:
        """Writes a mail down."""
        rows = self.execute("SELECT mail_enqueue(%s, %s, %s, %s) AS id", user_id, kind, key, Jsonb(data))
        found: UUID | None = rows[0]["id"]
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The outbox, the oldest first."""
        return self.execute("SELECT * FROM mail_outbox ORDER BY created_at, key")

    def kinds(self, user_id: UUID) -> list[str]:
        """What was written for somebody, in order."""
        return [row["kind"] for row in self.rows() if row["user_id"] == user_id]

    def arrived(self) -> list[EmailMessage]:
        """What the folder has."""
        return [parsed(file.read_bytes()) for file in self.folder.glob("*.eml")]

    def links(self, page: str, email: str | None = None) -> list[str]:
        """The links of the folder's mails to a page of ours. Parameters: email: of the mails to this address alone."""
        found = []
        for mail in self.arrived():
            if email not in (None, mail["To"]):
                continue
            part = mail.get_body(("plain",))
            assert part is not None
            found += re.findall(rf"http\S+/{page}\?\S+", part.get_content())
        return found

    def secret(self, page: str) -> str:
        """What stands behind the # of the one link to a page."""
        [link] = self.links(page)
        return link.partition("#")[2]
