"""Revenue as credits are used: by hand, and that money is never lost or made whatever happens."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.figures.books import BEGINNING, Books
from tests.servers import TestDatabase

NEVER = Decimal("1e-9")  # dollars: what division may leave


def _cents(amount: Decimal) -> Decimal:
    return round(amount, 6)


def test_a_pack_is_earned_as_it_is_used(books: Books) -> None:
    ada = books.person()
    books.pack(ada, 1000, 500)
    assert books.earned() == 0
    assert _cents(books.deferred()) == 5
    books.use(ada, 300)
    books.use(ada, 100, "high_performance")
    found = {key: _cents(usd) for key, usd in books.revenue().items()}
    assert found == {
        ("pack", "used", "basic"): Decimal("1.5"),
        ("pack", "used", "high_performance"): Decimal("0.5"),
    }
    assert _cents(books.deferred()) == 3


def test_what_expires_is_earned_too(books: Books) -> None:
    ada = books.person()
    books.pack(ada, 1000, 500)
    books.use(ada, 300)
    books.expire(ada)
    assert _cents(books.revenue()["pack", "expired", None]) == Decimal("3.5")
    assert _cents(books.deferred()) == 0


def test_credits_that_nobody_paid_for_earn_nothing(books: Books) -> None:
    ada = books.person()
    books.give(ada, 500, "trial")
    books.use(ada, 200)
    assert books.revenue() == {("trial", "used", "basic"): 0}
    assert books.deferred() == 0


def test_a_refund_takes_what_was_not_used_and_leaves_the_rest(books: Books) -> None:
    """$25 for 5,000, 1,000 used, $10 given back with 2,000 credits: $15 over the 3,000 that are left."""
    ada = books.person()
    intent = books.subscribe(ada, "starter", "month", 2500)
    books.use(ada, 1000)
    books.refund(intent, 1000)
    assert books.available(ada) == 2000
    assert _cents(books.earned()) == 5
    assert _cents(books.deferred()) == 10


def test_a_dispute_leaves_nothing(books: Books) -> None:
    ada = books.person()
    intent = books.pack(ada, 1000, 500)
    books.use(ada, 400)
    books.refund(intent, 0, disputed=True)
    assert books.earned() == books.deferred() == books.kept() == 0


def test_a_year_is_earned_by_its_months(books: Books) -> None:
    """$120 for a year, its first month used: a twelfth is earned, whatever became of the credits."""
    ada = books.person()
    books.subscribe(ada, "starter", "year", 12_000)
    books.use(ada, 2500)
    assert _cents(books.earned()) == 5
    books.expire(ada)
    assert _cents(books.earned()) == 10
    assert _cents(books.deferred()) == 110


def test_months_that_were_never_granted_are_earned_when_the_year_ends(books: Books) -> None:
    ada = books.person()
    books.subscribe(ada, "starter", "year", 12_000, since=books.now - timedelta(days=400))
    books.expire(ada)
    found = {key: _cents(usd) for key, usd in books.revenue().items()}
    assert found == {("starter", "expired", None): 10, ("starter", "time", None): 110}
    assert _cents(books.deferred()) == 0


def test_a_plan_without_credits_is_earned_over_its_period(books: Books) -> None:
    ada = books.person()
    since = books.now - timedelta(days=15.5)
    books.subscribe(ada, "enterprise", "month", 310_000, since=since)
    assert round(books.earned()) == 1550
    found = books.revenue(since + timedelta(days=1), since + timedelta(days=2))
    assert _cents(found["enterprise", "time", None]) == 100


def test_a_period_has_what_happened_in_it(books: Books) -> None:
    ada = books.person()
    books.pack(ada, 1000, 500)
    books.use(ada, 300)
    now = books.now
    yesterday = now - timedelta(days=1)
    assert books.revenue(BEGINNING, yesterday) == {}
    found = books.revenue(yesterday, now + timedelta(days=1))
    assert _cents(found["pack", "used", "basic"]) == Decimal("1.5")


_PEOPLE = st.integers(0, 2)
_CREDITS = st.integers(1, 9000)
_TIERS = st.sampled_from(["basic", "high_performance", "dedicated"])
_PLANS = st.sampled_from(["starter", "pro", "studio", "enterprise"])
_ACTS = st.one_of(
    st.tuples(st.just("pack"), _PEOPLE, st.integers(1, 5000), st.integers(1, 10_000)),
    st.tuples(st.just("month"), _PEOPLE, _PLANS, st.integers(0, 60)),
    st.tuples(st.just("year"), _PEOPLE, _PLANS, st.integers(0, 700)),
    st.tuples(st.just("give"), _PEOPLE, _CREDITS),
    st.tuples(st.just("use"), _PEOPLE, _CREDITS, _TIERS),
    st.tuples(st.just("expire"), _PEOPLE),
    st.tuples(st.just("grant_months")),
    st.tuples(st.just("refund"), st.integers(0, 20), st.integers(1, 100)),
    st.tuples(st.just("dispute"), st.integers(0, 20)),
)


def _act(books: Books, name: str, *values: Any) -> None:
    if name in ("month", "year"):
        person, plan, days = values
        books.subscribe(books.people[person], plan, name, 9_999, since=books.just_now - timedelta(days=days))
    elif name == "grant_months":
        books.grant_months()
    elif name in ("refund", "dispute"):
        if books.intents:
            intent, cents = books.intents[values[0] % len(books.intents)]
            back = cents * values[1] // 100 if name == "refund" else 0
            books.refund(intent, back, disputed=name == "dispute")
    else:
        person, *rest = values
        if name == "give":
            rest.append("trial")
        getattr(books, name)(books.people[person], *rest)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(_ACTS, min_size=3, max_size=25))
def test_what_is_earned_and_what_is_not_yet_are_what_was_kept(
    database: TestDatabase, acts: list[tuple[Any, ...]]
) -> None:
    """Whatever is bought, used, left to expire, given back or disputed, in whatever order."""
    with psycopg.connect(database.owner) as connection:
        books = Books(connection)
        for _ in range(3):
            books.person()
        for act in acts:
            _act(books, *act)
        _balanced(books)
        for person in books.people:
            books.expire(person)
        _balanced(books)
        connection.rollback()


def _balanced(books: Books) -> None:
    assert abs(books.earned() + books.deferred() - books.kept()) < NEVER
    by_origin: dict[str, Decimal] = {}
    for (origin, _, _), usd in books.revenue().items():
        assert usd > -NEVER, "nothing is earned backwards"
        by_origin[origin] = by_origin.get(origin, Decimal(0)) + usd
    outstanding = 0
    for origin, credits, usd in books.rows("SELECT * FROM figures_deferred()"):
        assert usd > -NEVER
        assert origin != "trial" or usd == 0
        outstanding += credits
        by_origin[origin] = by_origin.get(origin, Decimal(0)) + usd
    assert outstanding == books.value("SELECT coalesce(sum(amount), 0) FROM credit_transactions")
    packs = books.value(
        "SELECT coalesce(sum(CASE status WHEN 'disputed' THEN 0 ELSE amount - refunded END), 0)"
        " FROM payments WHERE kind = 'pack'"
    )
    assert abs(by_origin.get("pack", Decimal(0)) - packs) < NEVER
