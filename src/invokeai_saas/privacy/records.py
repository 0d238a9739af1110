"""The scheduler's SQL of exports and deletions: functions of the schema's owner, called with the billing role."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from invokeai_saas.db.standing import StandingConnection
from invokeai_saas.storage.objects import ObjectStore

_BATCH = 100


class InHand(NamedTuple):
    """Somebody who is being deleted, under a lease. Parameters: customer: at Stripe, if they ever were one."""

    user_id: UUID
    claim: UUID
    reason: str
    stage: str
    report: dict[str, Any]
    customer: str | None
    email: str


class Lost(Exception):
    """Another scheduler has this person in hand now."""


class PrivacyRecords(StandingConnection):
    """What the billing role does to people who are going to be deleted."""

    application = "privacy"
    statement_seconds = 0  # rows of large accounts go by the thousand in one statement

    def _held(self, answer: Any) -> Any:
        """Raises Lost for the answer that a claim counts no more."""
        if answer is None or answer is False:
            raise Lost
        return answer

    def tidy_exports(self, objects: ObjectStore) -> int:
        """Fails exports whose process went silent, and deletes the files of those that are over; answers how many.

        Raises:
            Unavailable: the store is away. The files go the next time.
        """
        self._value("SELECT privacy_reap_exports()")
        found = self._rows("SELECT id, key FROM privacy_old_exports(%s)", [_BATCH])
        objects.delete_sync([row["key"] for row in found])
        for row in found:
            self._value("SELECT privacy_export_dropped(%s)", [row["id"]])
        return len(found)

    def plans_to_end(self) -> list[tuple[UUID, str | None]]:
        """(person, customer) of those who asked to be deleted and may have a plan at Stripe."""
        rows = self._rows("SELECT user_id, customer FROM privacy_plans_to_end(%s)", [_BATCH])
        return [(row["user_id"], row["customer"]) for row in rows]

    def plan_ended(self, user_id: UUID) -> None:
        self._value("SELECT privacy_plan_ended(%s)", [user_id])

    def claim(self, lease: float) -> InHand | None:
        """The next person who is due. Parameters: lease: seconds."""
        rows = self._rows("SELECT * FROM privacy_claim(%s)", [lease])
        return InHand(**rows[0]) if rows else None

    def spare(self, person: InHand) -> None:
        """Somebody who turned out to have a plan stays. Raises Lost."""
        self._held(self._value("SELECT privacy_spare(%s, %s)", [person.user_id, person.claim]))

    def note(self, person: InHand, following: str, **facts: Any) -> InHand:
        """Adds to the report and goes on to a stage, which may be the same. Raises Lost."""
        values = [person.user_id, person.claim, person.stage, following, Jsonb(facts)]
        self._held(self._value("SELECT privacy_note(%s, %s, %s, %s, %s)", values))
        return person._replace(stage=following, report=person.report | facts)

    def purge(self, person: InHand) -> None:
        """Has caches forget all files of a person, who have none any more."""
        self._rows("SELECT edge_removed_person(%s)", [person.user_id])

    def wait(self, person: InHand, seconds: float) -> None:
        """Lets go of somebody for so long."""
        self._value("SELECT privacy_wait(%s, %s, %s)", [person.user_id, person.claim, seconds])

    def stop(self, person: InHand, quiet: float) -> tuple[bool, list[UUID]]:
        """Ends what a person has going. Whether it has stood still for so many seconds; all log-ins. Raises Lost."""
        (row,) = self._rows("SELECT * FROM privacy_stop(%s, %s, %s)", [person.user_id, person.claim, quiet])
        self._held(row["held"])
        return row["still"], row["sessions"]

    def subject(self, person: InHand) -> str:
        """What the identity provider calls a person. Raises Lost."""
        query: LiteralString = "SELECT privacy_subject(%s, %s)"
        return str(self._held(self._value(query, [person.user_id, person.claim])))

    def erase(self, person: InHand, table: str, limit: int) -> int:
        """Deletes so many rows; answers how many there were. Raises Lost."""
        values = [person.user_id, person.claim, table, limit]
        return int(self._held(self._value("SELECT privacy_erase(%s, %s, %s, %s)", values)))

    def erase_events(self, person: InHand) -> None:
        """Deletes what Stripe told of a person. Raises Lost."""
        self._held(self._value("SELECT privacy_erase_events(%s, %s)", [person.user_id, person.claim]))

    def pseudonymise(self, person: InHand, limit: int) -> int:
        """Empties texts of what stays; answers of how many rows. Raises Lost."""
        values = [person.user_id, person.claim, limit]
        return int(self._held(self._value("SELECT privacy_pseudonymise(%s, %s, %s)", values)))

    def tell(self, person: InHand, kept: Sequence[str]) -> str:
        """Writes the proof, and the mail with it, once; the mail's state. Raises Lost."""
        values = [person.user_id, person.claim, list(kept)]
        return str(self._held(self._value("SELECT privacy_tell(%s, %s, %s)", values)))

    def forget(self, person: InHand) -> None:
        """The end. Raises Lost."""
        self._held(self._value("SELECT privacy_forget(%s, %s)", [person.user_id, person.claim]))
