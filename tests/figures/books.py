"""What happens to money and credits, through the functions that the service itself calls, as the owner role."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import psycopg

from tests.factories import insert

Connection = psycopg.Connection[Any]
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_numbers = count(1)


@dataclass
class Books:
    """One database's, over a connection that the caller commits or rolls back."""

    connection: Connection
    people: list[UUID] = field(default_factory=list)
    intents: list[tuple[str, int]] = field(default_factory=list)  # with their cents

    @property
    def now(self) -> datetime:
        """The transaction's own time, which stands still."""
        found: datetime = self.value("SELECT now()")
        return found

    @property
    def just_now(self) -> datetime:
        return self.now - timedelta(minutes=1)

    def value(self, query: str, *values: object) -> Any:
        row = self.connection.execute(query.encode(), values).fetchone()
        return None if row is None else row[0]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), values).fetchall()

    def person(self) -> UUID:
        """Somebody without a plan and without credits."""
        found = uuid4()
        insert(
            self.connection,
            "users",
            id=found,
            email=f"{found}@example.com",
            name="Somebody",
            cognito_sub=str(found),
        )
        insert(self.connection, "credit_accounts", user_id=found)
        self.people.append(found)
        return found

    def _invoice(self, person: UUID, cents: int, at: datetime, **facts: Any) -> str:
        number = next(_numbers)
        invoice, intent = f"in_{number}", f"pi_{number}"
        body = {
            "id": invoice, "number": None, "status": "paid", "description": "d", "amount": cents, "paid": cents,
            "currency": "usd", "url": None, "created": at.timestamp(), "paid_at": at.timestamp(), "intent": intent,
            "parts": [], **facts,
        }  # fmt: skip
        self.value("SELECT billing_apply_invoice(%s, %s)", person, json.dumps(body))
        self.intents.append((intent, cents))
        return intent

    def pack(self, person: UUID, credits: int, cents: int, at: datetime | None = None) -> str:
        """Credits that are bought by themselves, valid for sixty days; answers the payment's name."""
        return self._invoice(
            person, cents, at or self.just_now, subscription=None, plan_id=None, interval=None,
            pack={"credits": credits, "days": 60},
        )  # fmt: skip

    def subscribe(
        self, person: UUID, plan: str, interval: str, cents: int, *, since: datetime | None = None
    ) -> str:
        """A subscription and its first payment. Parameters: since: when its period began."""
        start = since or self.just_now
        end = start + timedelta(days=365 if interval == "year" else 31)
        plan_id = self.value("SELECT id FROM subscription_plans WHERE slug = %s", plan)
        subscription = f"sub_{next(_numbers)}"
        self.value("UPDATE user_subscriptions SET status = 'canceled' WHERE user_id = %s RETURNING 1", person)
        insert(
            self.connection, "user_subscriptions", user_id=person, plan_id=plan_id, status="active",
            stripe_subscription_id=subscription, billing_interval=interval, current_period_start=start,
            current_period_end=end, created_at=start,
        )  # fmt: skip
        return self._invoice(
            person, cents, start, subscription=subscription, plan_id=str(plan_id), interval=interval,
            start=start.timestamp(), end=end.timestamp(),
        )  # fmt: skip

    def grant_months(self) -> None:
        self.value("SELECT billing_grant_months(1000)")

    def give(self, person: UUID, credits: int, source: str) -> None:
        """Credits that nobody pays for."""
        now = self.now
        self.value(
            "SELECT credits_grant(%s, %s, %s, %s, %s, %s, 'd')", person, credits, source, now - timedelta(minutes=1),
            now + timedelta(days=7), f"{source}:{next(_numbers)}",
        )  # fmt: skip

    def available(self, person: UUID) -> int:
        return int(self.value("SELECT _credits_available(%s)", person))

    def use(self, person: UUID, credits: int, tier: str = "basic", seconds: float | None = None) -> int:
        """A job that costs so much, or what is left; answers what it cost."""
        cost = min(credits, self.available(person))
        if cost == 0:
            return 0
        item = next(_numbers)
        self.value("SELECT _credits_lock(%s)", person)
        self.value("SELECT _credits_reserve(%s, %s, %s)", person, item, cost)
        self.value("SELECT _credits_settle(%s, %s, %s, 'd')", person, item, cost)
        insert(
            self.connection, "usage_records", user_id=person, job_id=str(item), action_type="generate", model_used="m",
            gpu_tier=tier, steps=1, width=8, height=8, batch_size=1, credits_consumed=cost, outcome="completed",
            compute_seconds=cost if seconds is None else Decimal(str(seconds)),
        )  # fmt: skip
        return cost

    def expire(self, person: UUID) -> None:
        """All that this person has left runs out."""
        self.value(
            "UPDATE credits SET valid_until = now() WHERE user_id = %s AND valid_until > now() RETURNING 1",
            person,
        )
        self.value("SELECT credits_expire(1000)")

    def refund(self, intent: str, cents: int, *, disputed: bool = False) -> None:
        self.value("SELECT billing_take_back(%s, %s, %s)", intent, cents, disputed)

    def kept(self) -> Decimal:
        """What was paid and not given back."""
        return Decimal(
            self.value(
                "SELECT coalesce(sum(CASE status WHEN 'disputed' THEN 0 ELSE amount - refunded END), 0) FROM payments"
            )
        )

    def revenue(
        self, begin: datetime = BEGINNING, end: datetime | None = None
    ) -> dict[tuple[str, str, str | None], Decimal]:
        """By origin, way and tier; of all time where nobody says otherwise."""
        until = end or self.now + timedelta(days=1)
        found = self.rows("SELECT origin, way, tier, usd FROM figures_revenue(%s, %s)", begin, until)
        return {(origin, way, tier): usd for origin, way, tier, usd in found}

    def earned(self) -> Decimal:
        return sum(self.revenue().values(), Decimal(0))

    def deferred(self) -> Decimal:
        return Decimal(self.value("SELECT coalesce(sum(usd), 0) FROM figures_deferred()"))
