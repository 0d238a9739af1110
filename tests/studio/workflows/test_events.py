"""What a person's open pages hear of their library, on a real socket."""

from __future__ import annotations

from tests.apps import LiveApi
from tests.studio.sockets import listening, silence_after
from tests.studio.things import workflow
from tests.studio.workflows.library import LIBRARY, keep


async def test_each_change_is_told_to_its_person_alone(live_api: LiveApi) -> None:
    ada, bob = await live_api.person("ada@example.com"), await live_api.person("bob@example.com")
    async with listening(live_api, ada) as heard, listening(live_api, bob) as bobs:
        kept = await keep(ada)
        path = f"{LIBRARY}/i/{kept['workflow_id']}"
        await ada.request("PATCH", path, json={"workflow": kept["workflow"]})
        await ada.request("PATCH", f"{path}/is_public", json={"is_public": True})
        await ada.request("PATCH", f"{path}/is_public", json={"is_public": False})
        await ada.request("DELETE", path)
        told = await silence_after(live_api, ada, heard)
        assert await silence_after(live_api, bob, bobs) == []
    who = {"workflow_id": kept["workflow_id"], "user_id": str(ada.user_id)}
    assert [event for event, _ in told] == [
        "workflow_created",
        "workflow_updated",
        "workflow_updated",
        "workflow_updated",
        "workflow_access_revoked",
        "workflow_deleted",
    ]
    facts = [
        {"is_public": False},
        {"old_is_public": False, "new_is_public": False},
        {"old_is_public": False, "new_is_public": True},
        {"old_is_public": True, "new_is_public": False},
        {},
        {"is_public": False},
    ]
    for (_, payload), expected in zip(told, facts, strict=True):
        assert isinstance(payload.pop("timestamp"), int)
        assert payload == who | expected


async def test_what_was_refused_is_not_told(live_api: LiveApi) -> None:
    ada, bob = await live_api.person("ada@example.com"), await live_api.person("bob@example.com")
    kept = await keep(ada)
    path = f"{LIBRARY}/i/{kept['workflow_id']}"
    async with listening(live_api, ada) as heard:
        assert (await bob.request("DELETE", path)).status_code == 404
        assert (await bob.request("PATCH", path, json={"workflow": kept["workflow"]})).status_code == 404
        bad = await ada.post(f"{LIBRARY}/", json={"workflow": workflow(name=1)})
        assert bad.status_code == 422
        assert await silence_after(live_api, ada, heard) == []
