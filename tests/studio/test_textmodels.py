"""Prompts by language models, of which there are none: what the page is told."""

from __future__ import annotations

import psycopg
import pytest

from tests.apps import RunningApi
from tests.factories import make_image
from tests.graphs import add_model, unknown_key
from tests.servers import TestDatabase

EXPAND, DESCRIBE = "/api/v1/utilities/expand-prompt", "/api/v1/utilities/image-to-prompt"


async def test_unknown_models_and_other_types(api: RunningApi, database: TestDatabase) -> None:
    ada, bob = await api.person("ada@example.com"), await api.person("bob@example.com")
    assert ada.user_id is not None and bob.user_id is not None
    main = add_model(database)["key"]
    bobs = add_model(database, bob.user_id, key=unknown_key(), path="models/users/b/m", type="text_llm")[
        "key"
    ]
    with psycopg.connect(database.owner) as connection:
        image, anothers = make_image(connection, ada.user_id), make_image(connection, bob.user_id)
    for key, status in ((main, 422), (bobs, 404), (unknown_key(), 404), ("nul\0", 404)):
        answer = await ada.post(EXPAND, json={"prompt": "a heart", "model_key": key, "task_id": "t"})
        assert answer.status_code == status, answer.text
        answer = await ada.post(DESCRIBE, json={"image_name": image, "model_key": key})
        assert answer.status_code == status, answer.text
    assert (await ada.post(DESCRIBE, json={"image_name": anothers, "model_key": main})).status_code == 404
    assert (await bob.post(EXPAND, json={"prompt": "a heart", "model_key": bobs})).status_code == 501
    assert (
        await ada.post(EXPAND, json={"prompt": "a", "model_key": main, "max_tokens": 0})
    ).status_code == 422


async def test_the_pages_progress_hears_of_it(
    api: RunningApi, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await api.person("ada@example.com")
    sent: list[object] = []

    async def emit(event: str, payload: dict[str, object], room: str) -> None:
        sent.append((event, payload["task_id"], room))

    monkeypatch.setattr(api.services.publisher._server, "emit", emit)
    await ada.post(EXPAND, json={"prompt": "a heart", "model_key": "none", "task_id": "t"})
    assert sent == [("llm_task_error", "t", f"user:{ada.user_id}")]


async def test_there_is_no_font(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    for path in ("a.ttf", "a/b.woff2", "..%2f..%2fetc%2fpasswd"):
        assert (await ada.get(f"/api/v1/utilities/fonts/{path}")).status_code == 404
