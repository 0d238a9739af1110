"""The starter model through our own worker: a red heart is a red heart to anyone who looks."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from invokeai_saas.catalog.scanning import scan
from invokeai_saas.demo import text_to_image
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, Subject
from tests.graphs import add_model
from tests.models_starter.shapes import dominant_hue, is_heart, is_red, is_red_heart
from tests.money import violations
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.worker.chaos import ROOT, ChaosPlan, process_environment

QUEUE = "/api/v1/queue/default"


@contextmanager
def _engine_worker(settings: Settings) -> Iterator[None]:
    python = ROOT / ".venv-engine" / "bin" / "python"
    environment = process_environment(settings, ChaosPlan(lease=60, heartbeat=5))
    log_file = settings.data_dir / "worker.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        worker = subprocess.Popen(
            [str(python), "-m", "invokeai_saas", "worker", "--engine", "invokeai"],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(120)


async def _draw(person: Subject, model: dict[str, Any], prompt: str, seed: int) -> int:
    body = {"batch": {"graph": text_to_image(model, prompt, seed), "runs": 1}}
    answer = await person.post(f"{QUEUE}/enqueue_batch", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["item_ids"][0])


async def _picture(person: Subject, item: int) -> Image.Image:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await person.get(f"{QUEUE}/i/{item}")).json()
        return found if found["status"] not in ("pending", "in_progress") else None

    ended = await eventually(look, seconds=200)
    assert ended is not None
    assert ended["status"] == "completed", ended.get("error_message")
    names = [
        result["image"]["image_name"] for result in ended["session"]["results"].values() if "image" in result
    ]
    record = (await person.get(f"/api/v1/images/i/{names[-1]}")).json()
    return Image.open(io.BytesIO((await person.get(record["image_url"])).content)).convert("RGB")


async def test_a_red_heart_is_red_and_a_heart(
    api: RunningApi, settings: Settings, database: TestDatabase
) -> None:
    (record,) = [
        found
        for found in scan(settings.model_copy(update={"model_dir": ROOT / "models"}))
        if found["base"] == "sd-1"
    ]
    add_model(database, **record)
    assert record["default_settings"]["width"] == record["default_settings"]["height"] == 256
    person = await api.person("ada@example.com")
    wanted = [("a red heart", 0), ("a red heart", 3), ("a blue heart", 0), ("a green apple", 0)]
    with _engine_worker(settings):
        items = [await _draw(person, record, prompt, seed) for prompt, seed in wanted]
        pictures = [await _picture(person, item) for item in items]
    red, another_red, blue, apple = pictures
    assert red.size == (256, 256)
    assert is_red_heart(red)
    assert is_red_heart(another_red)
    assert red.tobytes() != another_red.tobytes()
    assert is_heart(blue)
    assert not is_red(dominant_hue(blue))
    assert not is_red_heart(blue)
    assert not is_heart(apple)
    assert not is_red(dominant_hue(apple))
    assert violations(database) == {}
