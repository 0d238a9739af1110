"""Sockets that programs open with a key: they hear their person's events, for as long as the key is good."""

from __future__ import annotations

import psycopg
import pytest
from socketio.exceptions import ConnectionError as Rejected

from invokeai_saas.settings import Settings
from tests.apps import PASSWORD, LiveApi
from tests.apps import live_api as serve
from tests.identity.keys.people import KEYS, make_key, on_plan
from tests.realtime.clients import Listener, listening
from tests.servers import TestDatabase
from tests.waiting import eventually


async def _hears(api: LiveApi, listener: Listener, user_id: object) -> None:
    async def look() -> bool:
        await api.services.publisher.publish(user_id, "credits_changed", {})  # type: ignore[arg-type]
        return "credits_changed" in listener.names

    await eventually(look)


async def test_a_revoked_keys_sockets_close_and_no_others(
    live_api: LiveApi, settings: Settings, database: TestDatabase
) -> None:
    """On another process than the one that revokes."""
    ada = await on_plan(live_api, database)
    lost, kept = await make_key(ada), await make_key(ada)
    async with (
        listening(live_api.url, lost["key"]) as one,
        listening(live_api.url, kept["key"]) as other,
        serve(settings) as elsewhere,
    ):
        await _hears(elsewhere, one, ada.user_id)  # messages get through from there by now
        revoking, who = elsewhere.nobody(), {"email": "ada@example.com", "password": PASSWORD}
        token = (await revoking.post("/api/v1/auth/login", json=who)).json()["token"]
        revoking.client.headers["authorization"] = f"Bearer {token}"
        assert (await revoking.request("DELETE", f"{KEYS}/{lost['id']}")).status_code == 204
        await eventually(lambda: not one.open)
        await _hears(live_api, other, ada.user_id)
        assert other.open


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE api_keys SET revoked_at = now() WHERE user_id = %s",
        "UPDATE api_keys SET expires_at = now() WHERE user_id = %s",
        "UPDATE user_subscriptions SET status = 'expired' WHERE user_id = %s",
    ],
)
async def test_what_a_process_was_not_told_it_finds_by_itself(
    settings: Settings, database: TestDatabase, ending: str
) -> None:
    async with serve(settings.model_copy(update={"session_check_seconds": 0.1})) as api:
        ada, bob = await on_plan(api, database), await on_plan(api, database, email="bob@example.com")
        key, other = [(await make_key(person))["key"] for person in (ada, bob)]
        async with listening(api.url, key) as one, listening(api.url, other) as bobs:
            with psycopg.connect(database.owner) as connection:
                connection.execute(ending, [ada.user_id])
            await eventually(lambda: not one.open)
            await _hears(api, bobs, bob.user_id)
            assert bobs.open


async def test_a_key_that_is_no_good_opens_nothing(live_api: LiveApi, database: TestDatabase) -> None:
    ada = await on_plan(live_api, database)
    made = await make_key(ada)
    await ada.request("DELETE", f"{KEYS}/{made['id']}")
    with pytest.raises(Rejected):
        async with listening(live_api.url, made["key"]):
            pass
