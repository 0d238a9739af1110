"""All SQL of watching: calls of the migrations' functions, which answer sums."""

from __future__ import annotations

from uuid import UUID

from invokeai_saas.db.standing import StandingConnection

Values = dict[str, float]


class Figures(StandingConnection):
    """The worker role asks for the queue, the billing role for the business."""

    application = "watching"

    def queue(self) -> dict[str, Values]:
        """Each tier's figures, see watching_queue."""
        rows = self._rows("SELECT * FROM watching_queue()")
        return {
            row["tier"]: {key: float(value) for key, value in row.items() if key != "tier"} for row in rows
        }

    def business(self) -> Values:
        """See watching_business."""
        (row,) = self._rows("SELECT * FROM watching_business()")
        return {key: float(value) for key, value in row.items()}

    def trace(self, attempt: UUID) -> str | None:
        """The traceparent of an attempt's batch, if it has one."""
        (row,) = self._rows("SELECT watching_trace(%s) AS trace", (attempt,))
        found: str | None = row["trace"]
        return found
