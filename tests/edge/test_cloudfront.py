"""CloudFront is told what to forget, after the store has forgotten it, however often it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from invokeai_saas.edge.purging import GIVE_UP
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.storage.objects import ObjectStore
from tests.edge.world import IMAGES, Edge, stored_picture, troubled
from tests.gallery.files import encoded, picture
from tests.gallery.people import Gallery
from tests.processes import saas
from tests.servers import TestDatabase
from tests.waiting import eventually


class Died(Exception):
    """A process that is gone."""


async def _deleted(ada: Gallery, objects: ObjectStore) -> list[str]:
    name, keys = await stored_picture(ada, objects)
    await ada.subject.request("DELETE", f"{IMAGES}/i/{name}")
    return keys


async def test_the_scheduler_purges_by_both_names(
    cloudfront: Edge, ada: Gallery, objects: ObjectStore, database: TestDatabase
) -> None:
    """The real process. What one person deleted goes by one path, as the page asks for it and as the edge keeps it."""
    name, _ = await stored_picture(ada, objects)
    other, _ = await stored_picture(ada, objects)
    await ada.subject.post(f"{IMAGES}/delete", json={"image_names": [name, other]})
    assert cloudfront.purges() == []
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE removed_files SET due_at = now()")
    with saas(cloudfront.settings, "scheduler"):
        await eventually(lambda: cloudfront.waiting() == [])
    [(_, paths)] = cloudfront.purges()
    assert paths == [f"/images/users/{ada.user_id}/*", f"/users/{ada.user_id}/*"]


async def test_every_way_to_delete_is_purged(cloudfront: Edge, ada: Gallery, objects: ObjectStore) -> None:
    """One picture, a group, drafts, a board with what is on it, a video; pictures of workflows and presets."""
    subject = ada.subject

    async def forgotten() -> bool:
        before = len(cloudfront.purges())
        await asyncio.to_thread(cloudfront.look, objects)
        return len(cloudfront.purges()) == before + 1

    ada.add(is_intermediate=True)
    assert (await subject.request("DELETE", f"{IMAGES}/intermediates")).json() == 1
    assert await forgotten()
    ada.add()
    assert (await subject.request("DELETE", f"{IMAGES}/uncategorized")).status_code == 200
    assert await forgotten()
    board = ada.board(ada.add())
    answer = await subject.request("DELETE", f"/api/v1/boards/{board}", params={"include_images": True})
    assert len(answer.json()["deleted_images"]) == 1
    assert await forgotten()
    video = ada.add_video()
    answer = await subject.request("DELETE", f"/api/v1/videos/i/{video}")
    assert answer.status_code == 200, answer.text
    assert await forgotten()
    sent = {"image": ("p.png", encoded(picture()), "image/png")}
    data = {"data": '{"name": "n", "positive_prompt": "p", "negative_prompt": "n", "type": "user"}'}
    preset = (await subject.post("/api/v1/style_presets/", files=sent, data=data)).json()["id"]
    assert (await subject.request("DELETE", f"/api/v1/style_presets/i/{preset}")).status_code == 200
    assert await forgotten()
    [path] = [path for path in cloudfront.purged() if "/style_presets/" in path and "/images/" in path]
    assert path.endswith(".webp")


@pytest.mark.parametrize("code", ["TooManyInvalidationsInProgress", "Throttling", "AccessDenied", "lost"])
async def test_what_is_refused_is_sent_again_as_it_was(
    cloudfront: Edge, ada: Gallery, objects: ObjectStore, code: str
) -> None:
    keys = await _deleted(ada, objects)
    assert cloudfront.aws is not None
    with troubled(cloudfront.aws, code, code) as way:
        for tries in (1, 2):
            await asyncio.to_thread(cloudfront.look, objects, aws_endpoint_url=way)
            assert cloudfront.waiting() == [(keys, tries)]
        later = await _deleted(ada, objects)  # joins no batch that was sent
        await asyncio.to_thread(cloudfront.look, objects, aws_endpoint_url=way)
    assert later and cloudfront.waiting() == []
    references = [reference for reference, _ in cloudfront.purges()]
    assert len(set(references)) == 2
    assert len(references) == (4 if code == "lost" else 2)  # AWS itself does what it knows already once


async def test_the_edge_being_away_loses_nothing_and_waits_longer(
    cloudfront: Edge, ada: Gallery, objects: ObjectStore, database: TestDatabase
) -> None:
    keys = await _deleted(ada, objects)
    nowhere = f"http://127.0.0.1:{free_port()}"
    waits: list[tuple[Any]] = []
    for _ in range(3):
        await asyncio.to_thread(cloudfront.look, objects, aws_endpoint_url=nowhere)
        with psycopg.connect(database.owner) as connection:
            waits += connection.execute("SELECT extract(epoch FROM due_at - now()) FROM removed_files")
    assert cloudfront.waiting() == [(keys, 3)]
    first, second, third = [float(wait) for (wait,) in waits]
    assert first < 16 < second < 31 < third < 61
    await asyncio.to_thread(cloudfront.look, objects)
    assert (cloudfront.waiting(), len(cloudfront.purges())) == ([], 1)


async def test_what_no_edge_can_have_any_more_is_given_up(
    cloudfront: Edge, ada: Gallery, objects: ObjectStore, database: TestDatabase
) -> None:
    await _deleted(ada, objects)
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "UPDATE removed_files SET removed_at = now() - make_interval(secs => %s)", [GIVE_UP + 1]
        )
    nowhere = f"http://127.0.0.1:{free_port()}"
    await asyncio.to_thread(cloudfront.look, objects, aws_endpoint_url=nowhere)
    assert (cloudfront.waiting(), cloudfront.purges()) == ([], [])


async def test_a_purger_that_dies_in_between_sends_the_same_again(
    cloudfront: Edge, ada: Gallery, objects: ObjectStore
) -> None:
    """The edge has taken it, and the word that it has was never written."""
    await _deleted(ada, objects)
    purger = cloudfront.purger(objects)

    def died(batch: object, ids: Sequence[int]) -> None:
        raise Died

    purger._records.done = died  # type: ignore[method-assign]
    with psycopg.connect(cloudfront.database.owner) as connection:
        connection.execute("UPDATE removed_files SET due_at = now()")
    with pytest.raises(Died):
        await asyncio.to_thread(purger.look)
    purger.close()
    assert len(cloudfront.waiting()) == 1
    await asyncio.to_thread(cloudfront.look, objects)
    assert cloudfront.waiting() == []
    first, second = cloudfront.purges()
    assert first == second
