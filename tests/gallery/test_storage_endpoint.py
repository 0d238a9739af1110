"""How full a person's storage is."""

from __future__ import annotations

import psycopg

from tests.apps import RunningApi
from tests.servers import TestDatabase

PATH = "/api/v1/account/storage"


async def test_it_counts_ones_own_files_against_ones_plan(api: RunningApi, database: TestDatabase) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    assert (await ada.get(PATH)).json() == {"used": 0, "limit": 20 * 2**30}
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO gallery_state (user_id, bytes) VALUES (%s, 4096)"
            " ON CONFLICT (user_id) DO UPDATE SET bytes = 4096",
            [ada.user_id],
        )
    assert (await ada.get(PATH)).json()["used"] == 4096
    assert (await bob.get(PATH)).json()["used"] == 0
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE user_subscriptions SET status = 'expired' WHERE user_id = %s", [ada.user_id]
        )
    assert (await ada.get(PATH)).json() == {"used": 4096, "limit": 0}
    assert (await api.nobody().get(PATH)).status_code == 401
