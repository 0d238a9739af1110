"""Models' records in full, as InvokeAI's probe writes them."""

from __future__ import annotations

from typing import Any

from tests.graphs import STARTER

_SETTINGS: dict[str, Any] = {
    "vae": None, "vae_precision": None, "scheduler": "dpmpp_2m", "steps": 3, "cfg_scale": 6.0,
    "cfg_rescale_multiplier": None, "width": 64, "height": 64, "guidance": None, "cpu_only": None,
    "fp8_storage": None,
}  # fmt: skip


def starter_record() -> dict[str, Any]:
    """The starter model's, with the small sizes of tests."""
    return {
        **STARTER,
        "file_size": 59_263_520, "description": "Soft emoji-like pictures.", "source": STARTER["path"],
        "source_type": "path", "source_api_response": None, "source_url": None, "cover_image": None,
        "trigger_phrases": None, "default_settings": _SETTINGS, "repo_variant": "", "prediction_type": "v_prediction",
        "variant": "normal",
    }  # fmt: skip
