"""What each plan includes, tried at each gate: the table of plans, as it is sold, against what the service does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from invokeai_saas.billing import gates
from invokeai_saas.billing.gates import Feature
from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.db import roles
from invokeai_saas.errors import NotInPlan
from invokeai_saas.organisations import admin as organisations
from invokeai_saas.queue.claims import Claims
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, Subject
from tests.conformance.records import starter_record
from tests.factories import make_person
from tests.graphs import add_model, batch_body, picture_graph, unknown_key
from tests.plans import put_on
from tests.servers import TestDatabase

QUEUE = "/api/v1/queue/default"
PLANS = """
| slug       | GPU tier         | lanes    | storage GB | models           | third-party API | LoRA training | collaboration | node editor | API keys |
| trial      | basic            | 1        | 20         | sd               | -               | -             | -             | yes         | -        |
| starter    | basic            | 1        | 20         | sd               | -               | -             | -             | yes         | -        |
| pro        | high_performance | 1        | 100        | sd, flux         | yes             | -             | -             | yes         | yes      |
| studio     | high_performance | 3        | 200        | sd, flux         | yes             | -             | -             | yes         | yes      |
| enterprise | dedicated        | no limit | custom     | sd, flux, custom | yes             | yes           | yes           | yes         | yes      |
| tester     | basic            | 1        | 20         | sd, flux         | yes             | -             | -             | yes         | yes      |
"""  # noqa: E501  # as in the requirements
SOLD = ["trial", "starter", "pro", "studio", "enterprise"]  # in the order in which they are offered
_COLUMNS: dict[Feature, str] = {
    "third_party_api": "third-party API", "lora_training": "LoRA training", "collaboration": "collaboration",
    "node_editor": "node editor", "api_keys": "API keys",
}  # fmt: skip


def _table() -> dict[str, dict[str, str]]:
    heads, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PLANS.strip().splitlines()]
    return {row[0]: dict(zip(heads, row, strict=True)) for row in rows}


TABLE = _table()


def _says(slug: str, feature: Feature) -> bool:
    """Whether the table says that a plan includes something."""
    row = TABLE[slug]
    if feature in _COLUMNS:
        assert row[_COLUMNS[feature]] in ("yes", "-")
        return row[_COLUMNS[feature]] == "yes"
    return feature.removesuffix("_models") in row["models"].split(", ")


def _which_sell(feature: Feature) -> list[str]:
    return [slug for slug in SOLD if _says(slug, feature)]


@pytest.fixture
def claims(database: TestDatabase) -> Iterator[Claims]:
    worker = Claims(database.url(roles.WORKER))
    yield worker
    worker.close()


async def _on(api: RunningApi, database: TestDatabase, slug: str) -> Subject:
    person = await api.person("ada@example.com")
    put_on(database, person.user_id, slug)
    return person


def _assert_gate(answer: httpx.Response, slug: str, feature: Feature) -> None:
    """It lets through whoever has the feature, and tells all others who sells it."""
    if _says(slug, feature):
        assert answer.status_code < 300, (slug, feature, answer.text)
        return
    said = answer.json()
    assert (answer.status_code, said["code"], said["feature"]) == (403, "not_in_plan", feature), answer.text
    assert said["plans"] == _which_sell(feature)


async def _enqueue(person: Subject, graph: dict[str, Any] | None = None, **changes: Any) -> httpx.Response:
    return await person.post(f"{QUEUE}/enqueue_batch", json=batch_body(graph, **changes))


def _third_party_graph(node: str) -> dict[str, Any]:
    return {"id": "g", "nodes": {"n": {"id": "n", "type": node}}, "edges": []}


@pytest.mark.parametrize("slug", TABLE)
async def test_models(api: RunningApi, database: TestDatabase, slug: str) -> None:
    ada = await _on(api, database, slug)
    models: dict[Feature, dict[str, Any]] = {
        "sd_models": add_model(database, key=unknown_key(), base="sdxl", path="models/shared/one"),
        "flux_models": add_model(database, key=unknown_key(), base="flux", path="models/shared/two"),
        "custom_models": add_model(
            database,
            ada.user_id,
            **starter_record() | {"key": unknown_key(), "path": f"models/users/{ada.user_id}/three"},
        ),
    }
    for feature, model in models.items():
        _assert_gate(await _enqueue(ada, picture_graph(**model)), slug, feature)
    other = add_model(database, key=unknown_key(), base="z-image", path="models/shared/four")
    _assert_gate(await _enqueue(ada, picture_graph(**other)), slug, "custom_models")
    own = models["custom_models"]["key"]
    looked = await ada.request("PATCH", f"/api/v2/models/i/{own}", json={"name": "Another name"})
    _assert_gate(looked, slug, "custom_models")


@pytest.mark.parametrize("slug", TABLE)
async def test_features(api: RunningApi, database: TestDatabase, slug: str) -> None:
    add_model(database)
    ada = await _on(api, database, slug)
    _assert_gate(await _enqueue(ada, workflow={"name": "w"}), slug, "node_editor")
    _assert_gate(await ada.post("/api/v1/keys", json={"name": "k"}), slug, "api_keys")
    organisations.create(database.owner, "One", "ada@example.com")
    board = (await ada.post("/api/v1/boards/", params={"board_name": "b"})).json()["board_id"]
    shared = await ada.request("PATCH", f"/api/v1/boards/{board}", json={"board_visibility": "shared"})
    _assert_gate(shared, slug, "collaboration")
    summary = (await ada.get("/api/v1/account/summary")).json()
    assert summary["features"] == [feature for feature in gates.FEATURES if _says(slug, feature)]
    # No node trains yet, so nothing can be asked for over the API.
    assert ada.user_id is not None
    async with api.services.database.read(ada.user_id) as db:
        if _says(slug, "lora_training"):
            await gates.require(db, "lora_training")
        else:
            with pytest.raises(NotInPlan) as refused:
                await gates.require(db, "lora_training")
            assert refused.value.data["plans"] == _which_sell("lora_training")


@pytest.mark.parametrize("slug", TABLE)
async def test_nodes_that_call_others_services(api: RunningApi, database: TestDatabase, slug: str) -> None:
    """They are served to nobody yet; whose plan lacks them is told of the plan first."""
    ada = await _on(api, database, slug)
    for node in gates.NODES["third_party_api"]:
        answer = await _enqueue(ada, _third_party_graph(node))
        said = answer.json()
        assert (answer.status_code, said["code"]) == (403, "not_in_plan")
        if _says(slug, "third_party_api"):
            assert (said["feature"], said["plans"]) == (node, [])
        else:
            assert (said["feature"], said["plans"]) == ("third_party_api", ["pro", "studio", "enterprise"])


@pytest.mark.parametrize("slug", TABLE)
async def test_tier_and_lanes(api: RunningApi, database: TestDatabase, claims: Claims, slug: str) -> None:
    add_model(database)
    ada = await _on(api, database, slug)
    assert (await _enqueue(ada, runs=5)).status_code == 200
    row = TABLE[slug]
    for tier in ("basic", "high_performance", "dedicated"):
        found = [claims.claim(tier, "w", [], 60, 0, 3600) for _ in range(6)]
        lanes = 5 if row["lanes"] == "no limit" else int(row["lanes"])
        assert sum(claim is not None for claim in found) == (lanes if tier == row["GPU tier"] else 0)


@pytest.mark.parametrize("slug", TABLE)
async def test_storage(api: RunningApi, database: TestDatabase, slug: str) -> None:
    add_model(database)
    ada = await _on(api, database, slug)
    size = TABLE[slug]["storage GB"]
    limit = 10_000 * 2**30 if size == "custom" else int(size) * 2**30
    for used, allowed in ((limit - 1, True), (limit, size == "custom")):
        with psycopg.connect(database.owner) as connection:
            connection.execute(
                "INSERT INTO gallery_state (user_id, bytes) VALUES (%s, %s)"
                " ON CONFLICT (user_id) DO UPDATE SET bytes = excluded.bytes",
                [ada.user_id, used],
            )
        answer = await _enqueue(ada)
        assert answer.status_code == (200 if allowed else 507), answer.text


async def test_without_the_node_editor_its_batches_are_refused_and_not_retried(
    api: RunningApi, database: TestDatabase
) -> None:
    """Every plan that is sold has it; a row may say otherwise. What the other tabs make goes through."""
    add_model(database)
    ada = await api.person("ada@example.com")
    made = (await _enqueue(ada, workflow={"name": "w"})).json()["item_ids"]
    await ada.put(f"{QUEUE}/i/{made[0]}/cancel")
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE subscription_plans SET node_editor_access = false WHERE slug = 'trial'")
    refused = await _enqueue(ada, workflow={"name": "w"})
    retried = await ada.put(f"{QUEUE}/retry_items_by_id", json=made)
    for answer in (refused, retried):
        said = answer.json()
        assert (answer.status_code, said["feature"]) == (403, "node_editor")
        assert said["plans"] == ["starter", "pro", "studio", "enterprise"]
    assert (await _enqueue(ada)).status_code == 200
    assert (await ada.get(f"{QUEUE}/status")).json()["queue"]["total"] == 2


async def test_who_has_no_plan_has_no_feature(api: RunningApi, database: TestDatabase) -> None:
    ada = await _on(api, database, "enterprise")
    with psycopg.connect(database.owner) as connection:
        connection.execute("UPDATE user_subscriptions SET status = 'expired'")
    assert (await ada.get("/api/v1/account/summary")).json()["features"] == []
    assert ada.user_id is not None
    async with api.services.database.read(ada.user_id) as db:
        for feature in gates.FEATURES:
            with pytest.raises(NotInPlan):
                await gates.require(db, feature)


@pytest.mark.parametrize(
    "change",
    [
        "model_access = '{}'", "model_access = '{flux}'", "model_access = '{custom,sd}'",
        "node_editor_access = false", "third_party_api_access = true", "lora_training = true",
        "collaboration = true", "api_access = true",
    ],
)  # fmt: skip
async def test_database_and_service_read_a_row_alike(
    api: RunningApi, database: TestDatabase, change: str
) -> None:
    make_person(database, "ada@example.com")
    with psycopg.connect(database.owner) as connection:
        statement = sql.SQL("UPDATE subscription_plans SET {} WHERE slug = 'trial'").format(sql.SQL(change))
        connection.execute(statement)
        row = connection.execute(
            "SELECT _plan_includes(p) FROM subscription_plans p WHERE slug = 'trial'"
        ).fetchone()
    (plan,) = [plan for plan in (await api.nobody().get("/api/v1/plans")).json() if plan["slug"] == "trial"]
    assert row is not None
    told = [feature for feature in gates.FEATURES if feature in row[0]]
    assert told == gates.included(_Row(**plan))
    assert set(row[0]) - set(gates.FEATURES) == set(plan["model_access"])


class _Row:
    """A plan's row as it is told."""

    def __init__(self, model_access: list[str], **columns: Any) -> None:
        self.model_access = model_access
        self.__dict__.update(columns)


def test_nodes_that_call_others_are_all_behind_their_gate(settings: Settings) -> None:
    """Whoever upgrades InvokeAI and denies a new one of them adds it to the gate too."""
    denied = NodeCatalog(settings.node_schemas).denied
    assert gates.NODES["third_party_api"] == {node for node, why in denied.items() if "third party" in why}
