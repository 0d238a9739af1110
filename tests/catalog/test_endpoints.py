"""Models as the page reads them, and how they come to be on offer."""

from __future__ import annotations

import gzip
import re
from typing import Any
from uuid import UUID

import psycopg
import pytest

from invokeai_saas.catalog.registration import register_models
from invokeai_saas.catalog.service import visible_models
from invokeai_saas.db.session import open_database
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, Subject
from tests.factories import insert
from tests.servers import TestDatabase

MODELS = "/api/v2/models"


def _record(name: str, **changes: Any) -> dict[str, Any]:
    record = {
        "key": f"key-{name}", "hash": f"blake3:{name}", "path": f"models/shared/{name}", "file_size": 10, "name": name,
        "type": "main", "base": "sd-1", "format": "diffusers", "cover_image": None,
    }  # fmt: skip
    return record | changes


def _own(database: TestDatabase, owner: UUID | None, name: str) -> None:
    record = _record(name, path=f"models/users/{owner}/{name}")
    columns = ("key", "hash", "path", "file_size", "name", "type", "base", "format")
    with psycopg.connect(database.owner) as connection:
        insert(connection, "models", user_id=owner, record=record, **{c: record[c] for c in columns})


async def _list(subject: Subject, query: str = "") -> list[str]:
    answer = await subject.get(f"{MODELS}/?{query}")
    assert answer.status_code == 200, answer.text
    return [model["name"] for model in answer.json()["models"]]


async def test_shared_models_are_listed_as_they_were_recorded(ada: Subject, database: TestDatabase) -> None:
    assert (await ada.get(f"{MODELS}/")).json() == {"models": []}
    record = _record("b", default_settings={"width": 256}, description='"quoted" ü')
    register_models(database.owner, [record, _record("a", type="vae", file_size=5, base="any")])
    listed = (await ada.get(f"{MODELS}/")).json()["models"]
    assert listed[1] == record
    assert await _list(ada) == ["a", "b"]
    assert await _list(ada, "order_by=size&direction=DESC") == ["b", "a"]
    assert await _list(ada, "model_type=vae") == ["a"]
    assert await _list(ada, "base_models=sd-1&base_models=sdxl") == ["b"]
    assert await _list(ada, "model_name=b&model_format=diffusers") == ["b"]
    assert await _list(ada, "model_name=%25") == []
    bad = await ada.get(f"{MODELS}/?order_by=luck")
    assert (bad.status_code, bad.json()["detail"][0]["loc"]) == (422, ["query", "order_by"])


async def test_one_model_by_key_attributes_and_hash(ada: Subject, database: TestDatabase) -> None:
    record = _record("a")
    register_models(database.owner, [record])
    assert (await ada.get(f"{MODELS}/i/key-a")).json() == record
    assert (await ada.get(f"{MODELS}/get_by_attrs?name=a&type=main&base=sd-1")).json() == record
    assert (await ada.get(f"{MODELS}/get_by_hash?hash=blake3:a")).json() == record
    for path in ("i/key-b", "i/nul%00", "get_by_attrs?name=b&type=main&base=sd-1", "get_by_hash?hash=x"):
        answer = await ada.get(f"{MODELS}/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (404, "This model was not found.")
    assert (await ada.get(f"{MODELS}/get_by_hash")).status_code == 422
    assert (await ada.get(f"{MODELS}/i/key-a/image")).status_code == 404
    assert (await ada.get(f"{MODELS}/missing")).json() == {"models": []}


async def test_a_persons_own_models_are_theirs_alone(
    api: RunningApi, ada: Subject, database: TestDatabase
) -> None:
    bob = await api.person("bob@example.com")
    _own(database, ada.user_id, "mine")
    assert await _list(ada) == ["mine"]
    assert await _list(bob) == []
    for path in ("i/key-mine", "get_by_hash?hash=blake3:mine", "get_by_attrs?name=mine&type=main&base=sd-1"):
        assert (await ada.get(f"{MODELS}/{path}")).status_code == 200
        assert (await bob.get(f"{MODELS}/{path}")).status_code == 404
        assert (await api.nobody().get(f"{MODELS}/{path}")).status_code == 401
    assert (await api.nobody().get(f"{MODELS}/")).status_code == 401


async def test_visible_models_leaves_the_others_out(
    settings: Settings, ada: Subject, database: TestDatabase
) -> None:
    register_models(database.owner, [_record("shared")])
    _own(database, ada.user_id, "mine")
    assert ada.user_id is not None
    pools = open_database(settings)
    keys = ["key-shared", "key-mine", "key-none", "nul\0", "key-shared"]
    try:
        async with pools.write(ada.user_id) as session:
            assert set(await visible_models(session, keys)) == {"key-shared", "key-mine"}
            assert await visible_models(session, []) == {}
        async with pools.read(UUID(int=7)) as reader:
            assert set(await visible_models(reader, keys)) == {"key-shared"}
    finally:
        await pools.close()


async def test_a_model_keeps_its_key_with_its_path(ada: Subject, database: TestDatabase) -> None:
    (first,) = register_models(database.owner, [_record("a")])
    assert (first.key, first.path, first.added) == ("key-a", "models/shared/a", True)
    again = _record("a", key="key-new", hash="blake3:new", description="renamed")
    (second,) = register_models(database.owner, [again])
    assert (second.key, second.added) == ("key-a", False)
    listed = (await ada.get(f"{MODELS}/")).json()["models"]
    assert listed == [again | {"key": "key-a"}]


@pytest.mark.parametrize(
    "path", ["/srv/models/a", "models/users/u/a", "models/shared/../a", "models/shared", "a"]
)
def test_only_logical_paths_are_registered(database: TestDatabase, path: str) -> None:
    with pytest.raises(ValueError, match="logical path"):
        register_models(database.owner, [_record("good"), _record("a", path=path)])
    with psycopg.connect(database.owner) as connection:
        assert connection.execute("SELECT count(*) FROM models").fetchone() == (0,)


async def test_openapi_is_read_without_a_token(api: RunningApi) -> None:
    nobody = api.nobody()
    plain = await nobody.get("/openapi.json", headers={"accept-encoding": "identity"})
    assert plain.status_code == 200
    document = plain.json()
    nodes = [s for s in document["components"]["schemas"].values() if s.get("class") == "invocation"]
    assert len(nodes) > 300
    assert "/api/v1/gallery/item_names" in document["paths"]
    references = [part.split('"')[0] for part in plain.text.split('"#/components/schemas/')[1:]]
    assert set(references) <= document["components"]["schemas"].keys()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), (method, path)
    packed = await nobody.get("/openapi.json", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) < 400_000
    for answer in (plain, packed):
        same = await nobody.get(
            "/openapi.json",
            headers={"accept-encoding": answer.headers.get("content-encoding", "identity"),
                     "if-none-match": answer.headers["etag"]},
        )  # fmt: skip
        assert (same.status_code, same.content) == (304, b"")
