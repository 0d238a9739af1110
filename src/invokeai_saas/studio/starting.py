"""What InvokeAI's page starts with for a person of whom it remembers nothing yet.

The page chooses a model by itself but leaves size, steps and scheduler as they are until its "use defaults" button is
pressed. So the first picture of a small model would come out at 512 pixels and poor, and the first canvas with a box
that such a model can't fill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from invokeai_saas.catalog.tables import Model

# Edges in pixels that the page scales a canvas's box to: of these bases, and of all others.
_USUAL_EDGES = {"sd-1": 512, "sd-2": 512}
_USUAL_EDGE = 1024


@cache
def _page_params() -> dict[str, Any]:
    """The page's own first `params`, whole: it takes all of the object or none of it.

    One differs: its infill method, LaMa, downloads a model and can't run here, so an outpainting would be refused.
    """
    defaults: dict[str, Any] = orjson.loads(Path(__file__).with_name("starting_params.json").read_bytes())
    return defaults


def params(model: Model | None) -> str:
    """The generation settings: the page's defaults with the model's own settings in them.

    Parameters:
        model: the main model to start with. One without a size of its own is left for the page to choose.
    """
    size = _own_size(model)
    if model is None or size is None:
        return orjson.dumps(_page_params()).decode()
    settings = model.record["default_settings"]
    named = {"steps": "steps", "cfgScale": "cfg_scale", "scheduler": "scheduler"}
    own = {ours: settings[theirs] for ours, theirs in named.items() if settings.get(theirs) is not None}
    chosen = {
        "model": {part: model.record[part] for part in ("key", "hash", "name", "base", "type")},
        "dimensions": {**size, "aspectRatio": _ratio(size)},
    }
    return orjson.dumps(_page_params() | own | chosen).decode()


def canvas(model: Model | None) -> str | None:
    """An empty canvas whose box has the model's size; None leaves it to the page.

    The page enlarges what is in the box to the usual size of the model's base, and shrinks what comes out. For a model
    of another size that is switched off, or it would draw at a size that it can't.

    Parameters:
        model: as for `params`.
    """
    size = _own_size(model)
    if model is None or size is None:
        return None
    usual = _USUAL_EDGES.get(model.base, _USUAL_EDGE)
    fits = size["width"] * size["height"] == usual * usual
    nothing = {"isHidden": False, "entities": []}
    state = {
        "_version": 3,
        "selectedEntityIdentifier": None,
        "bookmarkedEntityIdentifier": None,
        **dict.fromkeys(("inpaintMasks", "rasterLayers", "controlLayers", "regionalGuidance"), nothing),
        "bbox": {
            "rect": {"x": 0, "y": 0, **size},
            "aspectRatio": _ratio(size),
            "scaleMethod": "auto" if fits else "none",
            "scaledSize": size,
            "modelBase": model.base,
        },
    }
    return orjson.dumps(state).decode()


# By the key under which the page remembers it.
STARTING: Mapping[str, Callable[[Model | None], str | None]] = {"params": params, "canvas": canvas}


def _own_size(model: Model | None) -> dict[str, int] | None:
    settings: dict[str, Any] = (model.record.get("default_settings") if model else None) or {}
    width, height = settings.get("width"), settings.get("height")
    return {"width": width, "height": height} if width and height else None


def _ratio(size: Mapping[str, int]) -> dict[str, Any]:
    width, height = size["width"], size["height"]
    return {"id": "1:1" if width == height else "Free", "value": width / height, "isLocked": False}
