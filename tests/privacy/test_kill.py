"""A scheduler process that is killed with -9 while it deletes somebody, again and again."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import psycopg

from tests.factories import make_image
from tests.privacy.test_deletion import STAYS
from tests.privacy.world import World
from tests.processes import saas
from tests.waiting import eventually

_FILES = 1200


async def _many_files(world: World, user_id: object) -> None:
    puts = (
        world.objects.put(f"users/{user_id}/images/{number}.png", b"x" * 100, "image/png")
        for number in range(_FILES)
    )
    for some in zip(*[iter(puts)] * 50, strict=True):
        await asyncio.gather(*some)


async def test_a_scheduler_that_dies_at_any_moment(world: World, tmp_path: Path) -> None:
    ada = await world.person()
    assert ada.user_id is not None
    await _many_files(world, ada.user_id)
    with psycopg.connect(world.shop.database.owner) as connection:
        for _ in range(500):
            make_image(connection, ada.user_id)
    await world.ask(ada)
    process = saas(world.shop.inbox._settings, "scheduler")
    chance = random.Random(7)
    struck: set[str] = set()  # the stages in which it was killed

    def stage() -> str | None:
        found = world.rows("SELECT stage FROM account_deletions WHERE lease_until > now()")
        return str(found[0][0]) if found else None

    def hurry() -> bool:
        """What is waited for is cut short: the lease of who died, and the quiet before."""
        world.execute(
            "UPDATE account_deletions SET lease_until = CASE WHEN stage = 'stop' THEN now() ELSE lease_until END,"
            " stopped_at = stopped_at - interval '1 min'"
        )
        return bool(world.rows("SELECT FROM deletion_proofs WHERE finished_at IS NOT NULL"))

    for _ in range(6):
        process.start()
        await eventually(lambda: hurry() or stage())
        await asyncio.sleep(chance.uniform(0, 0.4))
        struck.add(stage() or "between")
        process.kill()
        hurry()
        world.execute("UPDATE account_deletions SET lease_until = now()")
    with process:
        await eventually(hurry)
        await eventually(lambda: not world.rows("SELECT FROM removed_files"))
    assert len(struck) > 1, "it was killed at one place only"
    assert world.traces(str(ada.user_id)) == STAYS
    assert world.keys(ada.user_id) == []
    ((report,),) = world.rows("SELECT report FROM deletion_proofs")
    assert report["files"]["count"] == _FILES + 6
    assert report["rows"]["images"] == 501
    mails = [mail for mail in world.box.arrived() if "has been deleted" in mail["Subject"]]
    assert len(mails) >= 1
