"""What holds with CloudFront before the store and with nothing: deleted files are forgotten, whoever dies meanwhile."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from invokeai_saas.db import roles
from invokeai_saas.errors import NotFound
from invokeai_saas.storage.objects import ObjectStore
from tests.edge.world import IMAGES, Edge, stored_picture
from tests.gallery.people import Gallery
from tests.servers import TestDatabase


async def test_what_is_deleted_is_written_down_and_forgotten(
    edge: Edge, ada: Gallery, objects: ObjectStore
) -> None:
    name, keys = await stored_picture(ada, objects)
    assert (await ada.subject.request("DELETE", f"{IMAGES}/i/{name}")).status_code == 200
    assert edge.waiting() == [(keys, 0)]
    await asyncio.to_thread(edge.look, objects)
    assert edge.waiting() == []
    await asyncio.to_thread(edge.look, objects)


async def test_files_that_a_process_died_over_go_with_the_purge(
    edge: Edge, ada: Gallery, objects: ObjectStore, database: TestDatabase
) -> None:
    """The rows' transaction was committed, and then nothing came any more."""
    name, keys = await stored_picture(ada, objects)
    with psycopg.connect(database.url(roles.API)) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(ada.user_id)])
        connection.execute("DELETE FROM images WHERE image_name = %s", [name])
        connection.execute("SELECT edge_removed(%s)", [keys])
    await objects.head(keys[0])
    await asyncio.to_thread(edge.look, objects)
    assert edge.waiting() == []
    for key in keys:
        with pytest.raises(NotFound):
            await objects.head(key)


async def test_what_is_not_deleted_after_all_is_not_written_down(edge: Edge, ada: Gallery) -> None:
    assert (await ada.subject.request("DELETE", f"{IMAGES}/i/none.png")).status_code == 404
    assert edge.waiting() == []


async def test_nobody_has_others_files_forgotten(edge: Edge, ada: Gallery, database: TestDatabase) -> None:
    for who, key in ((str(ada.user_id), "users/somebody/images/a.png"), ("", f"users/{ada.user_id}/a.png")):
        with psycopg.connect(database.url(roles.API)) as connection:
            connection.execute("SELECT set_config('app.current_user_id', %s, true)", [who])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT edge_removed(%s)", [[key]])
    for role in (roles.API, roles.WORKER, roles.AUTH):
        with (
            psycopg.connect(database.url(role)) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT * FROM edge_claim(1, 1)")
    assert edge.waiting() == []
