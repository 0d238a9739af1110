"""Shared models come from the bucket to this machine's disk before its workers start."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker.sharedmodels import PREFIX, Fetched, fetch_shared_models

_LARGE = os.urandom(16 * 2**20 + 5)  # more than one part, and not a whole number of them


@pytest.fixture
def objects(settings: Settings) -> ObjectStore:
    return open_object_store(settings)


def test_what_is_missing_comes_and_what_is_there_stays(objects: ObjectStore, tmp_path: Path) -> None:
    name = uuid4().hex  # the bucket is the whole suite's
    files = {
        f"{name}/unet/weights.safetensors": _LARGE,
        f"{name}/model_index.json": b"{}",
        f"{name}/empty": b"",
    }
    folder = tmp_path / "models"
    others = fetch_shared_models(objects, folder).files
    for path, data in files.items():
        objects.put_sync(PREFIX + path, data, "application/octet-stream")
    try:
        fetched = fetch_shared_models(objects, folder)
        assert {path: (folder / path).read_bytes() for path in files} == files
        assert (fetched.files, fetched.size) == (3, len(_LARGE) + 2)
        assert fetch_shared_models(objects, folder) == Fetched(0, 0, 3 + others)
        (folder / name / "model_index.json").write_bytes(b"cut short")
        assert fetch_shared_models(objects, folder).files == 1
        assert (folder / name / "model_index.json").read_bytes() == b"{}"
        left = {file.name for file in (folder / name).rglob("*") if file.is_file()}
        assert left == {"weights.safetensors", "model_index.json", "empty"}
    finally:
        objects.delete_sync([PREFIX + path for path in files])


def test_no_key_leads_out_of_the_folder(
    objects: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stores normalise such keys or refuse them, so no real one can be made to list it.
    monkeypatch.setattr(objects, "sizes_sync", lambda _prefix: iter([(f"{PREFIX}a/../../../b", 1)]))
    with pytest.raises(SetupError, match="outside"):
        fetch_shared_models(objects, tmp_path / "models")
    assert not (tmp_path / "b").exists()
