"""An organisation, and people beside it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from invokeai_saas.organisations import admin
from tests.apps import RunningApi
from tests.gallery.people import Gallery
from tests.servers import TestDatabase

NAME = "Hearts Ltd"


def set_plan(database: TestDatabase, person: Gallery, slug: str) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET plan_id = (SELECT id FROM subscription_plans WHERE slug = %s)"
            " WHERE user_id = %s",
            [slug, person.user_id],
        )


@dataclass
class People:
    """Ada owns an organisation that Bob is of. Cleo owns another; Dan is of none."""

    database: TestDatabase
    ada: Gallery
    bob: Gallery
    cleo: Gallery
    dan: Gallery

    @property
    def strangers(self) -> dict[str, Gallery]:
        return {"other organisation": self.cleo, "nobody's": self.dan}

    def leave(self, person: str) -> None:
        admin.remove(self.database.owner, NAME, f"{person}@example.com")


async def two_organisations(api: RunningApi, database: TestDatabase) -> People:
    names = ("ada", "bob", "cleo", "dan")
    found = [Gallery(await api.person(f"{name}@example.com"), database) for name in names]
    people = People(database, *found)
    for owner in (people.ada, people.cleo):
        set_plan(database, owner, "enterprise")
    set_plan(database, people.dan, "enterprise")  # a plan alone makes nobody a colleague
    admin.create(database.owner, NAME, "ada@example.com")
    admin.add(database.owner, NAME, "bob@example.com")
    admin.create(database.owner, "Others", "cleo@example.com")
    return people
