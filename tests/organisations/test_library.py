"""Workflows, style presets and system prompts that are shared, and what pages hear of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps import LiveApi
from tests.gallery.people import Gallery
from tests.organisations.people import People, set_plan, two_organisations
from tests.servers import TestDatabase
from tests.studio.sockets import listening, silence_after
from tests.studio.things import image_file, picture, preset_form, workflow
from tests.studio.workflows.library import LIBRARY, keep

PRESETS = "/api/v1/style_presets"
PROMPTS = "/api/v1/system_prompts"


async def _shared_workflow(owner: Gallery, **changes: Any) -> str:
    kept = await keep(owner.subject, **changes)
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    answer = await owner.subject.request("PATCH", f"{path}/is_public", json={"is_public": True})
    assert answer.status_code == 200, answer.text
    return str(kept["workflow_id"])


async def _listed(person: Gallery, query: str) -> list[str]:
    page = (await person.subject.get(f"{LIBRARY}/?{query}&categories=user")).json()
    assert page["total"] == len(page["items"])
    return [item["workflow_id"] for item in page["items"]]


async def test_colleagues_read_a_public_workflow(people: People) -> None:
    shared = await _shared_workflow(people.ada, tags="hearts")
    private = (await keep(people.ada.subject, tags="hidden"))["workflow_id"]
    assert await _listed(people.bob, "is_public=true") == [shared]
    assert await _listed(people.bob, "order_by=name") == []  # as in InvokeAI: among one's own they are not
    assert set(await _listed(people.ada, "order_by=name")) == {shared, private}
    seen = (await people.bob.subject.get(f"{LIBRARY}/i/{shared}")).json()
    assert (seen["user_id"], seen["is_public"], seen["opened_at"]) == (str(people.ada.user_id), True, None)
    assert (await people.bob.subject.get(f"{LIBRARY}/i/{private}")).status_code == 404
    counted = {"categories": ["user"], "is_public": True}
    for person, number in ((people.bob, 1), (people.ada, 1), (people.cleo, 0), (people.dan, 0)):
        found = (await person.subject.get(f"{LIBRARY}/counts_by_category", params=counted)).json()
        assert found == {"user": number}
        tags = (await person.subject.get(f"{LIBRARY}/tags", params={"is_public": True})).json()
        assert ("hearts" in tags, "hidden" in tags) == (bool(number), False)
        by_tag = {"tags": ["hearts", "hidden"], "is_public": True}
        counts = (await person.subject.get(f"{LIBRARY}/counts_by_tag", params=by_tag)).json()
        assert counts == {"hearts": number, "hidden": 0}
    for stranger in people.strangers.values():
        assert await _listed(stranger, "is_public=true") == []
        assert (await stranger.subject.get(f"{LIBRARY}/i/{shared}")).status_code == 404


async def test_each_notes_for_themselves_when_they_opened_it(people: People) -> None:
    shared = await _shared_workflow(people.ada)
    path = f"{LIBRARY}/i/{shared}"
    assert (await people.bob.subject.put(f"{path}/opened_at")).status_code == 200
    assert (await people.bob.subject.get(path)).json()["opened_at"] is not None
    assert (await people.ada.subject.get(path)).json()["opened_at"] is None
    assert await _listed(people.bob, "is_public=true&has_been_opened=true") == [shared]
    assert await _listed(people.ada, "is_public=true&has_been_opened=true") == []
    assert (await people.dan.subject.put(f"{path}/opened_at")).status_code == 404


async def test_only_its_owner_changes_a_workflow(people: People) -> None:
    shared = await _shared_workflow(people.ada)
    path = f"{LIBRARY}/i/{shared}"
    before = (await people.ada.subject.get(path)).json()
    for person, status in ((people.bob, 403), (people.cleo, 404), (people.dan, 404)):
        attempts: list[tuple[str, str, dict[str, Any]]] = [
            ("PATCH", path, {"json": {"workflow": workflow() | {"id": shared}}}),
            ("PATCH", f"{path}/is_public", {"json": {"is_public": False}}),
            ("PUT", f"{path}/thumbnail", {"files": image_file(picture())}),
            ("DELETE", f"{path}/thumbnail", {}),
            ("DELETE", path, {}),
        ]
        for method, where, options in attempts:
            answer = await person.subject.request(method, where, **options)
            assert answer.status_code == status, (method, where)
    assert (await people.ada.subject.get(path)).json() == before


async def test_the_thumbnail_of_a_shared_workflow(people: People) -> None:
    path = f"{LIBRARY}/i/{await _shared_workflow(people.ada)}"
    put = await people.ada.subject.put(f"{path}/thumbnail", files=image_file(picture()))
    assert put.status_code == 200
    assert (await people.bob.subject.get(f"{path}/thumbnail")).status_code == 200
    signed = (await people.bob.subject.get(path)).json()["thumbnail_url"]
    assert (await people.bob.subject.get(signed)).status_code == 200
    assert (await people.dan.subject.get(f"{path}/thumbnail")).status_code == 404


async def test_presets_are_shared(people: People) -> None:
    form = {"data": preset_form(name="Hearts", is_public=True), "files": image_file(picture())}
    shared = (await people.ada.subject.post(f"{PRESETS}/", **form)).json()
    hidden = (await people.ada.subject.post(f"{PRESETS}/", data=preset_form(name="Hidden"))).json()
    path = f"{PRESETS}/i/{shared['id']}"

    async def own(person: Gallery) -> list[str]:
        every = (await person.subject.get(f"{PRESETS}/")).json()
        return [preset["name"] for preset in every if preset["type"] == "user"]

    assert await own(people.ada) == ["Hearts", "Hidden"]
    assert await own(people.bob) == ["Hearts"]
    assert (await people.bob.subject.get(path)).json()["name"] == "Hearts"
    assert (await people.bob.subject.get(f"{path}/image")).status_code == 200
    assert (await people.bob.subject.get(f"{PRESETS}/i/{hidden['id']}")).status_code == 404
    assert "Hearts" not in (await people.bob.subject.get(f"{PRESETS}/export")).text
    changed = {"data": preset_form(name="Mine now")}
    for person, status in ((people.bob, 403), (people.cleo, 404), (people.dan, 404)):
        assert (await person.subject.request("PATCH", path, **changed)).status_code == status
        assert (await person.subject.request("DELETE", path)).status_code == status
    for stranger in people.strangers.values():
        assert await own(stranger) == []
        assert (await stranger.subject.get(path)).status_code == 404
        assert (await stranger.subject.get(f"{path}/image")).status_code == 404
    assert (await people.ada.subject.get(path)).json()["name"] == "Hearts"


async def test_prompts_are_shared(people: People) -> None:
    made = (await people.ada.subject.post(f"{PROMPTS}/", json={"name": "Hearts", "content": "c"})).json()
    path = f"{PROMPTS}/i/{made['id']}"
    assert (await people.bob.subject.get(path)).status_code == 404
    assert (await people.ada.subject.request("PATCH", path, json={"is_public": True})).status_code == 200
    assert (await people.bob.subject.get(path)).json()["name"] == "Hearts"
    for person, status in ((people.bob, 403), (people.cleo, 404), (people.dan, 404)):
        for body in ({"name": "Mine now"}, {}):
            assert (await person.subject.request("PATCH", path, json=body)).status_code == status
        assert (await person.subject.request("DELETE", path)).status_code == status
        names = [prompt["name"] for prompt in (await person.subject.get(f"{PROMPTS}/")).json()]
        assert ("Hearts" in names) == (person is people.bob)
    mine = [prompt["name"] for prompt in (await people.ada.subject.get(f"{PROMPTS}/")).json()]
    assert mine.count("Hearts") == 1


@pytest.mark.parametrize("how", ["leaves", "plan"])
async def test_access_to_the_library_ends_at_once(people: People, how: str) -> None:
    shared = await _shared_workflow(people.ada)
    preset = preset_form(name="Hearts", is_public=True)
    made = (await people.ada.subject.post(f"{PRESETS}/", data=preset)).json()["id"]
    paths = [f"{LIBRARY}/i/{shared}", f"{PRESETS}/i/{made}"]
    assert [(await people.bob.subject.get(path)).status_code for path in paths] == [200, 200]
    if how == "leaves":
        people.leave("bob")
    else:
        set_plan(people.database, people.ada, "studio")
    assert [(await people.bob.subject.get(path)).status_code for path in paths] == [404, 404]
    assert await _listed(people.bob, "is_public=true") == []
    assert await _listed(people.ada, "is_public=true") == [shared]  # the mark is kept


async def test_a_full_library_counts_ones_own_alone(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_saas.studio.workflows.service.MAX_WORKFLOWS", 1)
    await _shared_workflow(people.ada)
    await keep(people.bob.subject)
    full = await people.bob.subject.post(f"{LIBRARY}/", json={"workflow": workflow()})
    assert (full.status_code, full.json()["code"]) == (409, "workflow_library_full")


async def test_colleagues_pages_hear_of_what_they_see(live_api: LiveApi, database: TestDatabase) -> None:
    people = await two_organisations(live_api, database)
    who = (people.bob.subject, people.cleo.subject, people.dan.subject)
    async with (
        listening(live_api, who[0]) as bobs,
        listening(live_api, who[1]) as cleos,
        listening(live_api, who[2]) as dans,
    ):
        kept = await keep(people.ada.subject)
        path = f"{LIBRARY}/i/{kept['workflow_id']}"
        ada = people.ada.subject
        await ada.request("PATCH", path, json={"workflow": kept["workflow"]})  # nobody else's business yet
        await ada.request("PATCH", f"{path}/is_public", json={"is_public": True})
        await ada.request("PATCH", path, json={"workflow": kept["workflow"]})
        await ada.request("PATCH", f"{path}/is_public", json={"is_public": False})
        await ada.request("PATCH", f"{path}/is_public", json={"is_public": True})
        people.leave("bob")
        await ada.request("DELETE", path)
        told = await silence_after(live_api, who[0], bobs)
        assert await silence_after(live_api, who[1], cleos) == []
        assert await silence_after(live_api, who[2], dans) == []
    assert [event for event, _ in told] == [
        "workflow_updated",
        "workflow_updated",
        "workflow_access_revoked",
        "workflow_updated",
    ]
    assert {payload["workflow_id"] for _, payload in told} == {kept["workflow_id"]}
