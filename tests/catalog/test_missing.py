"""Models whose files have gone."""

from __future__ import annotations

import psycopg
import pytest

from invokeai_saas.catalog.missing import MissingModels
from invokeai_saas.catalog.registration import mark_missing, register_models
from invokeai_saas.errors import Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import open_object_store
from tests.apps import Subject
from tests.catalog.people import MODELS, add_model, lora
from tests.servers import TestDatabase


async def _missing(subject: Subject) -> list[str]:
    answer = await subject.get(f"{MODELS}/missing")
    assert answer.status_code == 200
    return [model["name"] for model in answer.json()["models"]]


async def test_the_sweep_marks_what_the_store_has_not_and_unmarks_it(
    settings: Settings, database: TestDatabase, ada: Subject, bob: Subject
) -> None:
    objects = open_object_store(settings)
    key = f"models/users/{ada.user_id}/w"
    add_model(database, ada.user_id, "own", files=[{"path": "w", "key": key, "size": 3, "sha256": ""}])
    add_model(database, None, "in MODEL_DIR")
    sweep = MissingModels(settings, objects)
    try:
        sweep.look()
        assert (await _missing(ada), await _missing(bob)) == (["own"], [])
        assert len((await ada.get(f"{MODELS}/")).json()["models"]) == 2
        objects.put_sync(key, b"abc", "application/octet-stream")
        sweep.look()
        assert await _missing(ada) == []
        objects.put_sync(key, b"cut", "application/octet-stream")
        objects.put_sync(key, b"ab", "application/octet-stream")
        sweep.look()
        assert await _missing(ada) == ["own"]
    finally:
        sweep.close()


async def test_a_store_that_is_away_marks_nothing(
    settings: Settings, database: TestDatabase, ada: Subject
) -> None:
    add_model(database, ada.user_id, "own", files=[{"path": "w", "key": "k", "size": 3, "sha256": ""}])
    away = settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    sweep = MissingModels(settings, open_object_store(away))
    try:
        with pytest.raises(Unavailable):
            sweep.look()
    finally:
        sweep.close()
    assert await _missing(ada) == []


async def test_a_scan_marks_what_it_did_not_find(database: TestDatabase, ada: Subject) -> None:
    records = [lora("a"), lora("b")]
    register_models(database.owner, records)
    add_model(database, ada.user_id, "own")
    assert mark_missing(database.owner, ["models/shared/a"]) == ["models/shared/b"]
    assert mark_missing(database.owner, ["models/shared/a"]) == []
    assert await _missing(ada) == ["b"]
    register_models(database.owner, records)  # back again
    assert await _missing(ada) == []
    with psycopg.connect(database.owner) as connection:
        assert connection.execute("SELECT count(*) FROM models WHERE missing").fetchone() == (0,)
