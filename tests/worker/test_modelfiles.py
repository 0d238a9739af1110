"""People's own models on a worker's disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from invokeai_saas.errors import NotFound
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.worker.modelfiles import FileChanged, ModelFiles


@pytest.fixture
def objects(settings: Settings) -> ObjectStore:
    return open_object_store(settings)


def stored(objects: ObjectStore, prefix: str, **files: bytes) -> list[dict[str, Any]]:
    """Files of a model. Names: `a__b` lies in folder `a`."""
    made = []
    for name, data in files.items():
        path = name.replace("__", "/")
        objects.put_sync(f"{prefix}/{path}", data, "application/octet-stream")
        digest = hashlib.sha256(data).hexdigest()
        made.append({"path": path, "key": f"{prefix}/{path}", "size": len(data), "sha256": digest})
    return made


def test_files_are_fetched_once_and_checked(objects: ObjectStore, tmp_path: Path) -> None:
    models = ModelFiles(tmp_path / "m", objects, 10_000)
    files = stored(objects, "models/users/a/1", unet__w=b"weights", config=b"{}")
    folder = models.fetch(files)
    assert (folder / "unet" / "w").read_bytes() == b"weights"
    assert (folder / "config").read_bytes() == b"{}"
    objects.delete_sync([file["key"] for file in files])
    assert models.fetch(files) == folder
    single = stored(objects, "models/users/a/2", lora=b"weights")
    assert models.fetch(single).read_bytes() == b"weights"
    assert models.fetch(single).name == "lora"


def test_another_persons_model_of_the_same_content_is_another_folder(
    objects: ObjectStore, tmp_path: Path
) -> None:
    models = ModelFiles(tmp_path / "m", objects, 10_000)
    folders = {models.fetch(stored(objects, f"models/users/{who}/1", a=b"x", b=b"y")) for who in "ab"}
    assert len(folders) == 2


def test_a_file_that_was_changed_or_is_gone_leaves_nothing(objects: ObjectStore, tmp_path: Path) -> None:
    models = ModelFiles(tmp_path / "m", objects, 10_000)
    files = stored(objects, "models/users/a/1", a=b"x", b=b"y")
    objects.put_sync(files[1]["key"], b"z", "application/octet-stream")
    with pytest.raises(FileChanged):
        models.fetch(files)
    objects.delete_sync([files[1]["key"]])
    with pytest.raises(NotFound):
        models.fetch(files)
    outside = [files[0] | {"path": "../../x"}]
    with pytest.raises(NotFound):
        models.fetch(outside)
    assert [entry.name for entry in (tmp_path / "m").iterdir() if entry.is_dir()] == []
    assert not (tmp_path / "x").exists()


def test_the_longest_unused_goes_first_but_nothing_that_is_held(objects: ObjectStore, tmp_path: Path) -> None:
    models, neighbour = (ModelFiles(tmp_path / "m", objects, 250) for _ in range(2))
    made = [stored(objects, f"models/users/a/{n}", a=bytes(99), b=bytes(1)) for n in range(4)]
    first, second = models.fetch(made[0]), models.fetch(made[1])
    for age, folder in ((100, first), (50, second)):
        os.utime(folder, (folder.stat().st_mtime - age,) * 2)
    third = models.fetch(made[2])  # both others are held: over the limit rather than without the model
    assert first.exists() and second.exists() and third.exists()
    models.release()
    assert neighbour.fetch(made[0]) == first  # another worker of this machine holds it
    os.utime(first, (second.stat().st_mtime - 1000,) * 2)
    fourth = models.fetch(made[3])
    assert first.exists() and fourth.exists() and not second.exists()
