"""What of an error a person gets to read."""

from __future__ import annotations

import pytest

from invokeai_saas.worker.engine.redaction import readable_message, readable_traceback, without_paths


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('File "/srv/venv/lib/python3.11/torch/nn.py", line 3', 'File "nn.py", line 3'),
        ("[Errno 2] No such file: '/data/models/a/unet'", "[Errno 2] No such file: 'unet'"),
        (
            "Files for model 'Starter' not found at /scratch/models/x",
            "Files for model 'Starter' not found at x",
        ),
        ("path=/srv/models/sd.safetensors, retry", "path=sd.safetensors, retry"),
        ("/srv/models/", ""),
    ],
)
def test_server_paths_are_cut_down_to_their_last_part(text: str, clean: str) -> None:
    assert without_paths(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.org/help/models for more",
        "models/shared/starter was not found",
        "either/or",
        "1 / 0",
        "width must be > 0 and/or a multiple of 8",
    ],
)
def test_what_is_no_server_path_stays(text: str) -> None:
    assert without_paths(text) == text


def test_a_message_is_short_and_a_traceback_keeps_its_end() -> None:
    assert len(readable_message("x" * 100_000)) == 2_001
    trace = readable_traceback("first " + "x" * 100_000 + " last")
    assert len(trace) == 20_001
    assert trace.endswith(" last")
