"""Files of somebody who is deleted leave the edge too, and an edge that is away keeps nobody from being deleted."""

from __future__ import annotations

import asyncio

from invokeai_saas.embedded.ports import free_port
from tests.aws import Aws
from tests.edge.world import Edge, distribution
from tests.privacy.world import World


async def test_the_edge_forgets_the_whole_folder_of_who_is_deleted(world: World, aws: Aws) -> None:
    ada, bob = await world.person(), await world.person("bob@example.com")
    named = distribution(aws)
    there = {"cloudfront_distribution_id": named, "aws_endpoint_url": aws.url}
    database = world.shop.database
    edge = Edge(world.shop.inbox._settings.model_copy(update=there), database, aws, named)
    world.shop.inbox._settings = edge.settings.model_copy(
        update={"aws_endpoint_url": f"http://127.0.0.1:{free_port()}"}
    )
    await world.ask(ada)
    await world.finish()
    assert len(world.rows("SELECT FROM deletion_proofs WHERE finished_at IS NOT NULL")) == 1
    assert world.keys(ada.user_id) == []  # type: ignore[arg-type]
    assert edge.purges() == []
    await asyncio.to_thread(edge.look, world.objects)
    assert edge.waiting() == []
    assert edge.purged() == {f"/images/users/{ada.user_id}/*", f"/users/{ada.user_id}/*"}
    assert len(world.keys(bob.user_id)) == 6  # type: ignore[arg-type]
