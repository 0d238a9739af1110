"""What the page's canvas queues, run by the real engine on a person's own uploads."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from invokeai_saas.worker.contract import Engine, ModelRecord

from .conftest import Person
from .recording import RecordingContext, claimed, graph, never

SIZE = (128, 128)


def _upload(context: RecordingContext, name: str, image: Image.Image) -> dict[str, str]:
    context.save_image(
        image, image_name=name, node_id=None, session_id=None, image_origin="external", image_category="general",
        is_intermediate=True, board_id=None, metadata=None, workflow=None, graph=None,
    )  # fmt: skip
    return {"image_name": name}


def _inpainting(
    model: ModelRecord, init: dict[str, str], mask: dict[str, str], infill: str
) -> dict[str, Any]:
    """The page's graph for a layer that does not fill the box, with a mask: outpainting and inpainting in one."""
    return graph(
        {"id": "model", "type": "main_model_loader", "model": model},
        {"id": "positive", "type": "compel", "prompt": "a red heart"},
        {"id": "negative", "type": "compel", "prompt": ""},
        {"id": "noise", "type": "noise", "seed": 1, "width": SIZE[0], "height": SIZE[1], "use_cpu": True},
        {
            "id": "denoise", "type": "denoise_latents", "steps": 4, "cfg_scale": 6.0, "scheduler": "dpmpp_2m",
            "denoising_start": 0.25,
        },
        {"id": "decoded", "type": "l2i", "fp32": True, "is_intermediate": True},
        {"id": "encoded", "type": "i2l", "fp32": True},
        {"id": "infilled", "type": infill, "image": init},
        {"id": "alpha", "type": "tomask", "image": init},
        {"id": "masks", "type": "mask_combine", "mask1": mask},
        {"id": "gradient", "type": "create_gradient_mask", "edge_radius": 16, "fp32": True, "image": init},
        {"id": "faded", "type": "expand_mask_with_fade", "fade_size_px": 16},
        {"id": "canvas_output:1", "type": "apply_mask_to_image", "invert_mask": True, "is_intermediate": True},
        edges=(
            ("model", "unet", "denoise", "unet"), ("model", "unet", "gradient", "unet"),
            ("model", "clip", "positive", "clip"), ("model", "clip", "negative", "clip"),
            ("model", "vae", "decoded", "vae"), ("model", "vae", "encoded", "vae"),
            ("model", "vae", "gradient", "vae"), ("positive", "conditioning", "denoise", "positive_conditioning"),
            ("negative", "conditioning", "denoise", "negative_conditioning"),
            ("noise", "noise", "denoise", "noise"), ("infilled", "image", "encoded", "image"),
            ("encoded", "latents", "denoise", "latents"), ("alpha", "image", "masks", "mask2"),
            ("masks", "image", "gradient", "mask"), ("gradient", "denoise_mask", "denoise", "denoise_mask"),
            ("gradient", "expanded_mask_area", "faded", "mask"), ("denoise", "latents", "decoded", "latents"),
            ("decoded", "image", "canvas_output:1", "image"), ("faded", "image", "canvas_output:1", "mask"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("infill", ["infill_patchmatch", "infill_cv2", "infill_tile", "infill_rgba"])
def test_inpainting_a_person_s_upload(
    engine: Engine, starter: ModelRecord, person: Person, infill: str
) -> None:
    context = person()
    layer = Image.new("RGBA", SIZE, (0, 90, 200, 255))
    ImageDraw.Draw(layer).rectangle((0, 112, 127, 127), fill=(0, 0, 0, 0))  # to be outpainted
    mask = Image.new("L", SIZE, 255)
    ImageDraw.Draw(mask).rectangle((80, 32, 127, 95), fill=0)
    uploads = _upload(context, "layer.png", layer), _upload(context, "mask.png", mask)
    outcome = engine.run(claimed(_inpainting(starter, *uploads, infill)), context, never())
    assert outcome.status == "completed", outcome.error_message
    session = json.loads(outcome.session)
    (prepared,) = session["source_prepared_mapping"]["canvas_output:1"]
    staged = context.load_image(session["results"][prepared]["image"]["image_name"])
    assert (staged.mode, staged.size) == ("RGBA", SIZE)
    alpha = np.asarray(staged)[..., 3]
    assert alpha[8:24, 8:40].max() == 0  # what was neither masked nor empty is left alone
    assert alpha[56:72, 96:112].min() == 255
    assert alpha[122:, 32:96].min() == 255


def test_another_person_s_picture_is_no_mask(engine: Engine, starter: ModelRecord, person: Person) -> None:
    ada, bob = person("ada"), person("bob")
    hers = _upload(ada, "hers.png", Image.new("L", SIZE, 0))
    own = _upload(bob, "own.png", Image.new("RGBA", SIZE, "teal"))
    outcome = engine.run(claimed(_inpainting(starter, own, hers, "infill_cv2"), "bob"), bob, never())
    assert outcome.status == "failed"
    assert "not found" in str(outcome.error_message)
