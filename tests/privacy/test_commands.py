"""`invokeai-saas admin privacy` as operators type it, and the backoff when Stripe is away."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import psycopg
import pytest

from invokeai_saas.errors import Unavailable
from invokeai_saas.privacy import keeper as keepers
from invokeai_saas.privacy.stripe import StripeSide
from invokeai_saas.settings import Settings
from tests.factories import make_person
from tests.privacy.world import World
from tests.processes import environment
from tests.servers import TestDatabase


def _privacy(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invokeai_saas", "admin", "privacy", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_proofs_and_who_is_next(settings: Settings, database: TestDatabase) -> None:
    ada = make_person(database)
    with psycopg.connect(database.owner) as connection:
        row = connection.execute('SELECT _privacy_prove(\'{"files": {"count": 3}}\')').fetchone()
        connection.execute(
            "INSERT INTO account_deletions (user_id, reason, delete_at) VALUES (%s, 'asked', now())", [ada]
        )
    assert row is not None
    listed = _privacy(settings, "deletions").stdout.split()
    assert (listed[0], listed[1], listed[-1]) == (str(ada), "asked", "waits")
    shown = _privacy(settings, "proof", str(row[0]))
    assert shown.returncode == 0, shown.stderr
    said = json.loads(shown.stdout)
    assert (said["files"], said["intact"], said["finished_at"]) == ({"count": 3}, True, None)
    with psycopg.connect(database.url()) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE deletion_proofs SET report = '{}'")
    changed = _privacy(settings, "proof", str(row[0]))
    assert (changed.returncode, json.loads(changed.stdout)["intact"]) == (1, False)
    unknown = _privacy(settings, "proof", str(ada))
    assert unknown.returncode == 1 and "What to do" in unknown.stderr


async def test_while_stripe_is_away_it_is_not_asked_at_each_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await world.shop.api.person("ada@example.com")
    await world.shop.subscribe(ada)
    await world.ask(ada)
    world.execute("UPDATE account_deletions SET delete_at = now() + interval '1 day'")
    asked = 0
    ends = StripeSide.end_plans

    def away(self: StripeSide, customer: str) -> int:
        nonlocal asked
        asked += 1
        raise Unavailable("away")

    monkeypatch.setattr(StripeSide, "end_plans", away)
    keeper: Any = world.keeper()
    for _ in range(3):
        await asyncio.to_thread(keeper.look)
    assert asked == 1
    monkeypatch.setattr(StripeSide, "end_plans", ends)
    keeper._later.clear()  # half a minute later
    await asyncio.to_thread(keeper.look)
    await asyncio.to_thread(keeper.close)
    assert keepers._AGAIN == 30
    assert world.shop.subscription(ada)["status"] == "canceled"
