"""What the worker and its engines agree on, without any engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from invokeai_saas.worker.contract import image_name_for, local_model_path

from .recording import claimed, graph

KEY = b"k" * 32


def test_a_picture_s_name_looks_like_one_of_invokeai_s() -> None:
    name = image_name_for(KEY, "node", (), 0)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.png", name)


def test_a_picture_s_name_is_the_same_at_every_attempt() -> None:
    assert image_name_for(KEY, "node", (1, 2), 3) == image_name_for(KEY, "node", [1, 2], 3)


def test_every_place_in_every_job_has_a_name_of_its_own() -> None:
    places = [
        (KEY, "node", (), 0),
        (KEY, "node", (), 1),
        (KEY, "node", (0,), 0),
        (KEY, "node", (0, 1), 0),
        (KEY, "node", (1, 0), 0),
        (KEY, "other", (), 0),
        (KEY, 'node",[],0', (), 0),
        (b"l" * 32, "node", (), 0),
    ]
    assert len({image_name_for(*place) for place in places}) == len(places)


def test_the_name_key_is_not_printed() -> None:
    job = claimed(graph(), name_key=b"very secret")
    assert "secret" not in repr(job)


def test_a_shared_model_lies_in_the_model_folder() -> None:
    assert local_model_path(Path("m"), "models/shared/sdxl/base") == Path("m/sdxl/base")


@pytest.mark.parametrize(
    "path",
    ["models/shared/../../etc/passwd", "/etc/passwd", "models/users/a/b", "models/shared", "sdxl", ""],
)
def test_other_paths_lead_nowhere(path: str) -> None:
    with pytest.raises(ValueError, match="not the logical path"):
        local_model_path(Path("m"), path)
