"""Changing and deleting models: who may, and what."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.apps import RunningApi, Subject
from tests.catalog.people import MODELS, add_model, set_plan
from tests.servers import TestDatabase


async def test_an_own_model_is_changed_by_its_owner_alone(
    api: RunningApi, database: TestDatabase, ada: Subject, bob: Subject, tom: Subject, staff: Subject
) -> None:
    record = add_model(database, ada.user_id, "mine")
    path = f"{MODELS}/i/{record['key']}"
    for other, status in ((bob, 404), (staff, 404), (tom, 403), (api.nobody(), 401)):
        answer = await other.request("PATCH", path, json={"name": "theirs"})
        assert answer.status_code == status, answer.text
        nowhere = await other.request("PATCH", f"{MODELS}/i/none", json={"name": "theirs"})
        assert (nowhere.status_code, nowhere.text) == (status, answer.text)
    assert (await tom.request("PATCH", path, json={"name": "x"})).json() == {
        "detail": "Your plan does not include models of your own. These plans do: enterprise.",
        "code": "not_in_plan", "feature": "custom_models", "plans": ["enterprise"],
    }  # fmt: skip
    changes = {
        "name": "Renamed", "description": "ü", "trigger_phrases": ["b", "a", "b"],
        "default_settings": {"weight": 0.5}, "source_url": "https://example.com/x",
    }  # fmt: skip
    answer = await ada.request("PATCH", path, json=changes)
    expected = record | changes | {"trigger_phrases": ["b", "a"]}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert (await ada.get(path)).json() == expected
    assert [m["name"] for m in (await ada.get(f"{MODELS}/?model_name=Renamed")).json()["models"]] == [
        "Renamed"
    ]


async def test_the_page_posts_the_whole_record_back(database: TestDatabase, ada: Subject) -> None:
    record = add_model(database, ada.user_id, "mine")
    path = f"{MODELS}/i/{record['key']}"
    answer = await ada.request("PATCH", path, json={**record, "description": "new"})
    assert (answer.status_code, answer.json()) == (200, record | {"description": "new"})
    assert (await ada.request("PATCH", path, json={})).json()["description"] == "new"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"path": "models/shared/starter"}, "path"),
        ({"key": "another"}, "key"),
        ({"hash": "blake3:0"}, "hash"),
        ({"file_size": 1}, "file_size"),
        ({"format": "diffusers"}, "format"),
        ({"config_path": "/etc/passwd"}, "config_path"),
        ({"provider_id": "x"}, "provider_id"),
        ({"type": "soup"}, "type"),
        ({"base": "nothing"}, "type"),
        ({"default_settings": {"steps": 3}}, "default_settings"),
        ({"default_settings": {"weight": "much"}}, "default_settings"),
        ({"name": ""}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"source_url": "javascript:alert(1)"}, "source_url"),
        ({"trigger_phrases": [3]}, "trigger_phrases"),
        ({"cpu_only": "yes"}, "cpu_only"),
    ],
)
async def test_what_may_not_change_is_refused_by_name(
    database: TestDatabase, ada: Subject, changes: dict[str, Any], field: str
) -> None:
    record = add_model(database, ada.user_id, "mine")
    answer = await ada.request("PATCH", f"{MODELS}/i/{record['key']}", json=changes)
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["detail"][0]["loc"]
    assert (await ada.get(f"{MODELS}/i/{record['key']}")).json() == record


@pytest.mark.parametrize("name", ["nul\\u0000", "half\\ud800"])
async def test_text_that_the_database_cannot_hold_is_refused(
    database: TestDatabase, ada: Subject, name: str
) -> None:
    record = add_model(database, ada.user_id, "mine")
    answer = await ada.request(
        "PATCH", f"{MODELS}/i/{record['key']}", content=f'{{"name": "{name}"}}',
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 422


async def test_shared_models_are_our_staffs(
    database: TestDatabase, ada: Subject, tom: Subject, staff: Subject
) -> None:
    record = add_model(database, None, "shared")
    path = f"{MODELS}/i/{record['key']}"
    for person, code in ((ada, "forbidden"), (tom, "not_in_plan")):
        for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
            answer = await person.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, code), (method, answer.text)
    answer = await staff.request("PATCH", path, json={"name": "New"})
    assert (answer.status_code, answer.json()["name"]) == (200, "New")
    assert (await tom.get(path)).json()["name"] == "New"
    assert (await staff.request("DELETE", path)).status_code == 204
    assert (await tom.get(path)).status_code == 404


async def test_the_database_itself_refuses_a_stranger(
    database: TestDatabase, ada: Subject, bob: Subject
) -> None:
    """Whatever the service forgets to ask."""
    theirs = add_model(database, ada.user_id, "mine")["key"]
    shared = add_model(database, None, "shared")["key"]
    with psycopg.connect(database.url("invokeai_api")) as connection:
        connection.execute("SELECT set_config('app.current_user_id', %s, true)", [str(bob.user_id)])
        for key in (theirs, shared):
            changed = connection.execute(
                'SELECT catalog_change_model(%s, \'{"name": "x"}\')', [key]
            ).fetchone()
            assert changed in (None, (None,))
            assert connection.execute("SELECT * FROM catalog_delete_model(%s)", [key]).fetchone() is None
            assert (
                connection.execute("SELECT * FROM catalog_set_cover(%s, 'k', 'u')", [key]).fetchone() is None
            )
    with psycopg.connect(database.url("invokeai_api"), autocommit=True) as connection:
        for statement in (
            "DELETE FROM models",
            "UPDATE models SET name = 'x'",
            "DELETE FROM model_relationships",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


async def test_deleting_takes_the_files_along(
    api: RunningApi, database: TestDatabase, ada: Subject, bob: Subject
) -> None:
    objects = api.services.objects
    record = add_model(
        database,
        ada.user_id,
        "mine",
        files=[{"path": "a.safetensors", "key": "models/users/x/a", "size": 1, "sha256": ""}],
    )
    await objects.put("models/users/x/a", b"weights", "application/octet-stream")
    path = f"{MODELS}/i/{record['key']}"
    assert (await bob.request("DELETE", path)).status_code == 404
    assert (await api.nobody().request("DELETE", path)).status_code == 401
    set_plan(database, ada, "starter")  # whoever leaves the plan can still take away what is theirs
    assert (await ada.request("DELETE", path)).status_code == 204
    assert (await ada.get(path)).status_code == 404
    with pytest.raises(Exception, match="not found"):
        await objects.head("models/users/x/a")


async def test_many_are_deleted_at_once(database: TestDatabase, ada: Subject, tom: Subject) -> None:
    mine = [add_model(database, ada.user_id, name)["key"] for name in "ab"]
    shared = add_model(database, None, "shared")["key"]
    answer = await ada.post(f"{MODELS}/i/bulk_delete", json={"keys": [*mine, shared, "none", "nul\0"]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["deleted"] == mine
    assert [failed["key"] for failed in answer.json()["failed"]] == [shared, "none", "nul\0"]
    refused = await tom.post(f"{MODELS}/i/bulk_delete", json={"keys": [shared]})
    assert refused.status_code == 403
