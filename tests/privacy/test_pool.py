"""Somebody who is deleted here is deleted in the user pool, by the name that it has for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import Unavailable
from invokeai_saas.privacy.keeper import PrivacyKeeper
from invokeai_saas.privacy.pool import PoolSide
from invokeai_saas.privacy.proofs import proof
from invokeai_saas.settings import Settings
from tests.apps import Subject
from tests.aws import Aws
from tests.billing.shop import open_shop
from tests.privacy.world import World, open_world
from tests.servers import TestDatabase

ADA, BOB = "ada@example.com", "bob@example.com"


@dataclass
class Pooled:
    """A world whose people's passwords lie in a user pool."""

    world: World
    pool: str
    cognito: Any

    def people(self) -> list[str]:
        """Addresses in the pool."""
        listed = self.cognito.list_users(UserPoolId=self.pool)["Users"]
        told = [{entry["Name"]: entry["Value"] for entry in user["Attributes"]} for user in listed]
        return sorted(user["email"] for user in told)

    async def person(self, email: str) -> Subject:
        person = await self.world.shop.api.person(email)
        self.cognito.admin_confirm_sign_up(UserPoolId=self.pool, Username=email)
        return person

    def move(self, endpoint: str) -> None:
        """From now on the scheduler finds AWS there."""
        inbox = self.world.shop.inbox
        inbox._settings = inbox._settings.model_copy(update={"aws_endpoint_url": endpoint})


@pytest.fixture
async def pooled(
    settings: Settings, database: TestDatabase, tmp_path: Path, aws: Aws
) -> AsyncIterator[Pooled]:
    pool = aws.user_pool()
    changed = settings.model_copy(update={"deletion_grace_days": 0.0, "aws_endpoint_url": aws.url, **pool})
    async with open_shop(changed, database, tmp_path) as shop:
        with open_world(shop, tmp_path) as world:
            yield Pooled(world, pool["cognito_user_pool_id"], aws.client("cognito-idp"))


async def test_the_pool_forgets_and_the_proof_says_so(pooled: Pooled) -> None:
    ada = await pooled.person(ADA)
    await pooled.person(BOB)
    await pooled.world.ask(ada)
    await pooled.world.finish()
    assert pooled.people() == [BOB]
    ((proof_id,),) = pooled.world.rows("SELECT id FROM deletion_proofs")
    found = proof(pooled.world.shop.database.owner, str(proof_id))
    assert found.intact and found.report["pool"]["deleted"] is True
    assert found.report["pool"]["confirmation"]
    again = await pooled.person(ADA)
    assert again.user_id != ada.user_id


async def test_somebody_who_has_their_old_address_by_now_stays(pooled: Pooled) -> None:
    """Ada changed hers in the pool and was never here again; Bob took the one that she left."""
    ada = await pooled.person(ADA)
    attributes = [{"Name": "email", "Value": "ada@example.org"}, {"Name": "email_verified", "Value": "true"}]
    await pooled.world.ask(ada)
    pooled.cognito.admin_update_user_attributes(
        UserPoolId=pooled.pool, Username=ADA, UserAttributes=attributes
    )
    pooled.cognito.admin_create_user(
        UserPoolId=pooled.pool,
        Username=ADA,
        UserAttributes=[{"Name": "email", "Value": ADA}],
        MessageAction="SUPPRESS",
    )
    assert pooled.people() == [ADA, "ada@example.org"]
    await pooled.world.finish()
    assert pooled.people() == [ADA]


async def test_a_pool_that_is_away_is_waited_for(pooled: Pooled) -> None:
    ada = await pooled.person(ADA)
    await pooled.world.ask(ada)
    there = pooled.world.shop.inbox._settings.aws_endpoint_url
    pooled.move(f"http://127.0.0.1:{free_port()}")
    for _ in range(3):
        pooled.world.execute("UPDATE account_deletions SET lease_until = now()")
        await pooled.world.look()
    assert pooled.world.rows("SELECT stage, report ? 'pool' FROM account_deletions") == [("stripe", False)]
    assert pooled.world.rows("SELECT * FROM deletion_proofs") == []
    pooled.move(str(there))
    await pooled.world.finish()
    assert pooled.people() == []


async def test_what_was_done_before_a_crash_is_not_missed(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool has deleted them, and the scheduler died before it could say so."""
    ada = await pooled.person(ADA)
    await pooled.world.ask(ada)
    forget = PoolSide.forget

    def dies(side: PoolSide, sub: str) -> str | None:
        forget(side, sub)
        raise Unavailable("killed")

    monkeypatch.setattr(PoolSide, "forget", dies)
    await pooled.world.look()
    assert pooled.people() == []
    assert pooled.world.rows("SELECT stage FROM account_deletions") == [("stripe",)]
    monkeypatch.undo()
    await pooled.world.finish()
    ((report,),) = pooled.world.rows("SELECT report FROM deletion_proofs")
    assert report["pool"]["deleted"] is True


async def test_a_pool_that_is_not_there_proves_nothing(pooled: Pooled) -> None:
    """Nobody of this name is in it either; that says nothing of the right one."""
    side = PoolSide(
        pooled.world.shop.inbox._settings.model_copy(
            update={"cognito_user_pool_id": "ap-northeast-2_Nowhere12"}
        )
    )
    with pytest.raises(Unavailable):
        side.forget("somebody")


async def test_whose_claim_is_over_is_told_no_name(pooled: Pooled) -> None:
    ada = await pooled.person(ADA)
    await pooled.world.ask(ada)
    query = "SELECT privacy_subject(%s, gen_random_uuid())"
    assert pooled.world.rows(query, ada.user_id) == [(None,)]
    keeper: PrivacyKeeper = pooled.world.keeper()
    try:
        person = keeper._records.claim(60.0)
        assert person is not None
        # The name is told in the one stage that needs it.
        assert pooled.world.rows("SELECT privacy_subject(%s, %s)", ada.user_id, person.claim) == [(None,)]
    finally:
        keeper.close()
