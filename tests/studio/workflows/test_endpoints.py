"""A person's own workflows: kept, changed, listed, and nobody else's business."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import orjson
import pytest

from invokeai_saas.studio.workflows import schemas, service
from tests.apps import RunningApi, Subject
from tests.studio.things import field, workflow
from tests.studio.workflows.library import LIBRARY, keep

DEEP = 20_000


async def names(subject: Subject, **asked: Any) -> list[str]:
    answer = await subject.get(f"{LIBRARY}/", params={"categories": "user"} | asked)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_a_workflow_comes_back_as_it_went(ada: Subject) -> None:
    nodes = [{"id": "n", "type": "notes", "data": {"notes": "ü\n", "ratio": 0.1, "none": None, "list": [[]]}}]
    kept = await keep(ada, nodes=nodes, extra="is left out")
    assert kept["user_id"] == str(ada.user_id)
    assert (kept["name"], kept["is_public"], kept["opened_at"]) == ("Mine", False, None)
    assert kept["workflow"] == workflow(nodes=nodes) | {"id": kept["workflow_id"]}
    found = (await ada.get(f"{LIBRARY}/i/{kept['workflow_id']}")).json()
    assert found["thumbnail_url"] is None
    assert found["call_saved_workflow_compatibility"]["reason"] == "missing_workflow_return"
    for extra in ("thumbnail_url", "call_saved_workflow_compatibility"):
        del found[extra]
    assert found == kept


async def test_a_workflow_without_a_form_is_taken(ada: Subject) -> None:
    old = {key: value for key, value in workflow().items() if key != "form"}
    kept = (await ada.post(f"{LIBRARY}/", json={"workflow": old})).json()
    assert kept["workflow"]["form"] is None


async def test_changing_and_deleting(ada: Subject) -> None:
    kept = await keep(ada)
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    changed = await ada.request(
        "PATCH", path, json={"workflow": kept["workflow"] | {"name": "New", "description": "d", "tags": "t"}}
    )
    assert (changed.status_code, changed.json()["name"]) == (200, "New")
    assert changed.json()["updated_at"] > kept["updated_at"]
    assert changed.json()["created_at"] == kept["created_at"]
    listed = (await ada.get(f"{LIBRARY}/", params={"categories": "user"})).json()["items"]
    assert [(item["name"], item["description"], item["tags"]) for item in listed] == [("New", "d", "t")]
    other = {"workflow": kept["workflow"] | {"id": str(uuid4())}}
    assert field(await ada.request("PATCH", path, json=other)) == "body.workflow.id"
    gone = await ada.request("DELETE", path)
    assert (gone.status_code, gone.json()) == (200, None)
    assert (await ada.get(path)).status_code == 404
    assert (await ada.request("DELETE", path)).status_code == 404
    assert await names(ada) == []


async def test_opening_is_noted_and_is_no_change(ada: Subject) -> None:
    kept = await keep(ada)
    await keep(ada, name="Never opened")
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    assert (await ada.put(f"{path}/opened_at")).json() is None
    found = (await ada.get(path)).json()
    assert found["opened_at"] >= kept["created_at"]
    assert found["updated_at"] == kept["updated_at"]
    assert await names(ada, has_been_opened=True) == ["Mine"]
    assert await names(ada, has_been_opened=False) == ["Never opened"]
    assert await names(ada, order_by="opened_at", direction="DESC") == ["Mine", "Never opened"]
    assert await names(ada, order_by="opened_at") == ["Never opened", "Mine"]


async def test_sharing_is_kept_and_shows_nothing_to_others(ada: Subject, bob: Subject) -> None:
    kept = await keep(ada, tags="flux, mine")
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    shared = await ada.request("PATCH", f"{path}/is_public", json={"is_public": True})
    assert (shared.status_code, shared.json()["is_public"]) == (200, True)
    assert shared.json()["workflow"]["tags"] == "flux, mine, shared"  # the tag that InvokeAI keeps with it
    assert await names(ada, is_public=True) == ["Mine"]
    assert await names(bob, is_public=True) == await names(bob) == []
    assert (await bob.get(path)).status_code == 404
    assert (await bob.get(f"{LIBRARY}/tags", params={"categories": "user"})).json() == []
    again = await ada.request("PATCH", f"{path}/is_public", json={"is_public": False})
    assert (again.json()["is_public"], again.json()["workflow"]["tags"]) == (False, "flux, mine")
    assert await names(ada, is_public=True) == []


async def test_pages_orders_and_searches(ada: Subject) -> None:
    for name, tags, text in [
        ("b", "SDXL, one", "red"),
        ("A", "sd1.5", "green"),
        ("c", "", "100%"),
        ("D", "x", ""),
    ]:
        await keep(ada, name=name, tags=tags, description=text)
    assert await names(ada) == ["A", "b", "c", "D"]
    assert await names(ada, direction="DESC") == ["D", "c", "b", "A"]
    assert await names(ada, order_by="created_at") == ["b", "A", "c", "D"]
    page = (await ada.get(f"{LIBRARY}/?categories=user&per_page=3&page=1")).json()
    assert [item["name"] for item in page["items"]] == ["D"]
    assert (page["page"], page["pages"], page["per_page"], page["total"]) == (1, 2, 3, 4)
    everything = (await ada.get(f"{LIBRARY}/?categories=user")).json()
    assert (everything["pages"], everything["per_page"], everything["total"]) == (1, 4, 4)
    assert await names(ada, tags=["sdxl", " SD1.5 "]) == ["A", "b"]
    assert await names(ada, query=" RED ") == ["b"]
    assert await names(ada, query="%") == ["c"]  # and not everything
    assert await names(ada, query="one") == ["b"]
    assert await names(ada, callable=True) == []
    assert len(await names(ada, callable=False)) == 4


async def test_counts_and_tags(ada: Subject) -> None:
    opened = await keep(ada, tags="SDXL, portrait")
    await keep(ada, tags=" portrait ,, zoo")
    await ada.put(f"{LIBRARY}/i/{opened['workflow_id']}/opened_at")

    async def count(kind: str, **asked: Any) -> Any:
        return (await ada.get(f"{LIBRARY}/counts_by_{kind}", params=asked)).json()

    assert await count("category", categories="user") == {"user": 2}
    assert await count("category", categories="user", has_been_opened=True) == {"user": 1}
    tags = ["sdxl", "portrait", "none", "portrait"]
    assert await count("tag", tags=tags, categories="user") == {"sdxl": 1, "portrait": 2, "none": 0}
    assert await count("tag", tags="zoo", categories="user", has_been_opened=True) == {"zoo": 0}
    found = (await ada.get(f"{LIBRARY}/tags", params={"categories": "user"})).json()
    assert found == ["SDXL", "portrait", "zoo"]


async def test_others_and_nobody(api: RunningApi, ada: Subject, bob: Subject) -> None:
    kept = await keep(ada, tags="adas")
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    body = {"workflow": kept["workflow"]}
    for method, where, options in [
        ("GET", path, {}),
        ("PATCH", path, {"json": body}),
        ("DELETE", path, {}),
        ("PATCH", f"{path}/is_public", {"json": {"is_public": True}}),
        ("PUT", f"{path}/opened_at", {}),
        ("DELETE", f"{path}/thumbnail", {}),
    ]:
        assert (await bob.request(method, where, **options)).status_code == 404, (method, where)
        assert (await api.nobody().request(method, where, **options)).status_code == 401, (method, where)
    assert await names(bob) == []
    assert (await bob.get(f"{LIBRARY}/counts_by_tag?tags=adas")).json() == {"adas": 0}
    assert (await api.nobody().post(f"{LIBRARY}/", json=body)).status_code == 401
    assert (await ada.get(path)).json()["workflow"] == kept["workflow"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": None}, "body.workflow.name"),
        ({"name": 5}, "body.workflow.name"),
        ({"name": "x" * 1001}, "body.workflow.name"),
        ({"nodes": {}}, "body.workflow.nodes"),
        ({"nodes": ["n"]}, "body.workflow.nodes.0"),
        ({"nodes": [{}] * 2001}, "body.workflow.nodes"),
        ({"edges": [1]}, "body.workflow.edges.0"),
        ({"exposedFields": [{"nodeId": 1, "fieldName": "a"}]}, "body.workflow.exposedFields.0.nodeId"),
        ({"meta": {"category": "user", "version": "four"}}, "body.workflow.meta.version"),
        ({"meta": {"category": "mine", "version": "4.0.0"}}, "body.workflow.meta.category"),
        ({"meta": {"category": "default", "version": "4.0.0"}}, "body.workflow.meta.category"),
        ({"form": [1]}, "body.workflow.form"),
        ({"notes": "nul\0"}, "body.workflow"),
        ({"nodes": [{"nul\0": 1}]}, "body.workflow"),
        ({"nodes": [{"type": "invocation", "data": {"type": "workflow_return"}}] * 2}, "body.workflow.nodes"),
    ],
)
async def test_bad_workflows_are_refused_by_field(ada: Subject, changes: dict[str, Any], place: str) -> None:
    assert field(await ada.post(f"{LIBRARY}/", json={"workflow": workflow(**changes)})) == place
    assert await names(ada) == []


async def test_hostile_bodies(ada: Subject) -> None:
    plain = orjson.dumps({"workflow": workflow(notes="HERE")})

    async def status(replacement: bytes) -> int:
        body = plain.replace(b'"HERE"', replacement)
        answer = await ada.post(f"{LIBRARY}/", content=body, headers={"content-type": "application/json"})
        return answer.status_code

    for hostile in (
        b"[" * DEEP + b"]" * DEEP,
        b"[" * 70 + b"]" * 70,
        b'"\\ud800"',
        b"NaN",
        b"1e999",
        b"\xff",
        b"{",
    ):
        assert await status(hostile) == 422, hostile[:20]
    for body in (b"", b"[]", b"null", b'{"workflow": null}', b"\0"):
        assert (await ada.post(f"{LIBRARY}/", content=body)).status_code == 422, body
    assert await status(b'"' + b"x" * (schemas.MAX_WORKFLOW_BYTES + 2000) + b'"') == 413
    assert await status(b'"' + b"x" * 10_000_000 + b'"') == 413
    assert await names(ada) == []


async def test_bad_queries_name_the_field(ada: Subject) -> None:
    for path, name in [
        ("?categories=mine", "categories"),
        ("?page=-1", "page"),
        ("?per_page=1001", "per_page"),
        ("?order_by=workflow", "order_by"),
        ("?direction=up", "direction"),
        ("?query=%00", "query"),
        ("?tags=%00", "tags"),
        ("?is_public=perhaps", "is_public"),
        ("counts_by_tag", "tags"),
        ("counts_by_tag?tags=%00", "tags"),
        ("counts_by_category", "categories"),
        ("counts_by_category?categories=mine", "categories"),
        ("tags?categories=mine", "categories"),
    ]:
        place = field(await ada.get(f"{LIBRARY}/{path}"))
        assert place.startswith(f"query.{name}"), path
    for workflow_id in ("nowhere", "%00", "default_nowhere", str(uuid4())):
        assert (await ada.get(f"{LIBRARY}/i/{workflow_id}")).status_code == 404
        assert (await ada.put(f"{LIBRARY}/i/{workflow_id}/opened_at")).status_code == 404


async def test_how_much_a_person_keeps_is_limited(ada: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = await keep(ada)
    monkeypatch.setattr(service, "MAX_WORKFLOWS", 2)
    await keep(ada)
    full = await ada.post(f"{LIBRARY}/", json={"workflow": workflow()})
    assert (full.status_code, full.json()["code"]) == (409, "workflow_library_full")
    monkeypatch.setattr(service, "MAX_STORED_BYTES", 2000)
    longer = {"workflow": kept["workflow"] | {"notes": "x" * 2000}}
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    assert (await ada.request("PATCH", path, json=longer)).status_code == 409
    assert (await ada.request("PATCH", path, json={"workflow": kept["workflow"]})).status_code == 200


async def test_one_that_could_be_called_says_why_it_cannot(ada: Subject) -> None:
    nodes = [{"id": "r", "type": "invocation", "data": {"type": "workflow_return"}}]
    kept = await keep(ada, nodes=nodes)
    found = (await ada.get(f"{LIBRARY}/i/{kept['workflow_id']}")).json()
    (item,) = (await ada.get(f"{LIBRARY}/?categories=user")).json()["items"]
    for answer in (found, item):
        compatibility = answer["call_saved_workflow_compatibility"]
        assert (compatibility["is_callable"], compatibility["reason"]) == (False, "unsupported_node")
        assert compatibility["message"].endswith(".")
