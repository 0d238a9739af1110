"""Models that belong together: whose links they are."""

from __future__ import annotations

from tests.apps import RunningApi, Subject
from tests.catalog.people import add_model
from tests.servers import TestDatabase

LINKS = "/api/v1/model_relationships"


async def _related(subject: Subject, key: str) -> list[str]:
    answer = await subject.get(f"{LINKS}/i/{key}")
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()
    return found


def _pair(one: str, other: str) -> dict[str, str]:
    return {"model_key_1": one, "model_key_2": other}


async def test_a_persons_links_are_theirs_alone(
    api: RunningApi, database: TestDatabase, ada: Subject, bob: Subject, tom: Subject
) -> None:
    mine = add_model(database, ada.user_id, "mine")["key"]
    shared = add_model(database, None, "shared")["key"]
    for other, status in ((bob, 404), (tom, 403), (api.nobody(), 401)):
        assert (await other.post(f"{LINKS}/", json=_pair(mine, shared))).status_code == status
    for _ in range(2):  # again changes nothing
        answer = await ada.post(f"{LINKS}/", json=_pair(shared, mine))
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await _related(ada, mine), await _related(ada, shared)) == ([shared], [mine])
    assert await _related(bob, shared) == []
    assert (await bob.get(f"{LINKS}/i/{mine}")).status_code == 404
    batch = {"model_keys": [mine, shared, "none", "nul\0"]}
    assert set((await ada.post(f"{LINKS}/batch", json=batch)).json()) == {mine, shared}
    assert (await bob.post(f"{LINKS}/batch", json=batch)).json() == []
    assert (await bob.request("DELETE", f"{LINKS}/", json=_pair(mine, shared))).status_code == 404
    for _ in range(2):
        assert (await ada.request("DELETE", f"{LINKS}/", json=_pair(mine, shared))).status_code == 204
    assert await _related(ada, mine) == []


async def test_shared_links_are_our_staffs(
    database: TestDatabase, ada: Subject, tom: Subject, staff: Subject
) -> None:
    one, other = (add_model(database, None, name)["key"] for name in ("one", "other"))
    assert (await ada.post(f"{LINKS}/", json=_pair(one, other))).status_code == 403
    assert (await staff.post(f"{LINKS}/", json=_pair(one, other))).status_code == 204
    assert await _related(tom, one) == [other]
    refused = await ada.request("DELETE", f"{LINKS}/", json=_pair(one, other))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await staff.request("DELETE", f"{LINKS}/", json=_pair(one, other))).status_code == 204
    assert await _related(tom, one) == []


async def test_what_cannot_be_linked(database: TestDatabase, ada: Subject) -> None:
    mine = add_model(database, ada.user_id, "mine")["key"]
    assert (await ada.post(f"{LINKS}/", json=_pair(mine, mine))).status_code == 422
    assert (await ada.post(f"{LINKS}/", json=_pair(mine, "none"))).status_code == 404
    assert (await ada.post(f"{LINKS}/", json=_pair(mine, "nul\0"))).status_code == 404
    assert (await ada.post(f"{LINKS}/", json={"model_key_1": mine})).status_code == 422


async def test_links_go_with_their_models(database: TestDatabase, ada: Subject) -> None:
    one, other = (add_model(database, ada.user_id, name)["key"] for name in ("one", "other"))
    await ada.post(f"{LINKS}/", json=_pair(one, other))
    assert (await ada.request("DELETE", f"/api/v2/models/i/{other}")).status_code == 204
    assert await _related(ada, one) == []
