"""What one job of the mock engine has in hand: pictures behind the names of latents and masks, prompts, seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from PIL import Image

from invokeai_saas.worker.mock.drawing import picture
from invokeai_saas.worker.mock.pictures import PICTURES, new

_USUAL = (256, 256)  # pixels
Fields = dict[str, Any]


class Studio:
    """Draws, and remembers what the tokens between nodes stand for.

    Parameters:
        load_image: of the job's person, by name.
    """

    def __init__(self, load_image: Callable[[str], Image.Image]) -> None:
        self._load_image = load_image
        self._latents: dict[str, Image.Image] = {}
        self._masks: dict[str, Image.Image] = {}
        self._prompts: dict[str, str] = {}
        self._seeds: dict[str, int] = {}

    def load(self, field: Any) -> Image.Image:
        """The picture that an ImageField names. Raises ValueError where there is none, NotFound."""
        name = field.get("image_name") if isinstance(field, dict) else None
        if not isinstance(name, str):
            raise ValueError("A picture is missing.")
        return self._load_image(name)

    def picture(self, fields: Fields) -> Image.Image:
        """What a node that answers one picture saves."""
        if make := PICTURES.get(fields["type"]):
            return make(fields, self.load)
        latents = self._latents.get(_name(fields.get("latents"), "latents_name"))
        if latents is not None:
            return latents
        given = next(_named(fields, "image_name"), None)
        if given is not None:
            return self._load_image(given)
        return picture(fields["type"], 0, self._size(fields, None))

    def denoised(self, fields: Fields) -> Image.Image:
        """The prompt's picture; over the given latents, as far as strength and mask say."""
        noise = _name(fields.get("noise"), "latents_name")
        base = self._latents.get(_name(fields.get("latents"), "latents_name"))
        size = base.size if base else self._size(fields, self._latents.get(noise))
        seed = self._seeds.get(noise, fields.get("seed"))
        drawn = picture(self._prompt(fields), seed if isinstance(seed, int) else 0, size)
        if base is None:
            return drawn
        base = base.convert("RGB")
        strength = 1 - float(fields.get("denoising_start") or 0)
        drawn = Image.blend(base, drawn, min(max(strength, 0.0), 1.0))
        mask = self._masks.get(_name(fields.get("denoise_mask"), "mask_name"))
        return drawn if mask is None else Image.composite(base, drawn, mask.convert("L").resize(size))

    def latents(self, image: Image.Image) -> Fields:
        """An answer's fields for latents that stand for this picture."""
        name = str(uuid4())
        self._latents[name] = image
        return {"latents": {"latents_name": name, "seed": None}, "width": image.width, "height": image.height}

    def remember(self, fields: Fields, answer: Fields) -> Fields:
        """Notes what the tokens of an answer stand for; answers the fields that follow from that."""
        for name in _named(answer.get("conditioning"), "conditioning_name"):
            self._prompts[name] = str(fields.get("prompt") or "")
        if name := _name(answer.get("denoise_mask"), "mask_name"):
            self._masks[name] = self.load(fields.get("mask"))
        if "noise" in answer:
            name = _name(answer["noise"], "latents_name")
            self._seeds[name] = fields.get("seed") or 0
            self._latents[name] = new("RGB", self._size(fields, None))
        elif "latents" in answer and fields.get("latents") is None:
            given = next(_named(fields, "image_name"), None)
            return self.latents(self._load_image(given) if given else new("RGB", self._size(fields, None)))
        return {}

    def pictures_beside(self, fields: Fields) -> Iterator[tuple[str, Image.Image]]:
        """Pictures in answers that hold more than one thing, by their field."""
        if fields["type"] == "create_gradient_mask":
            yield "expanded_mask_area", self.load(fields.get("mask")).convert("L")

    def _prompt(self, fields: Fields) -> str:
        """What the positive conditioning was made of; a node without any may hold a prompt itself."""
        names = [
            name
            for field, value in fields.items()
            if field.startswith("positive")
            for name in _named(value, "conditioning_name")
        ]
        return " ".join(self._prompts.get(name, "") for name in names) or str(fields.get("prompt") or "")

    def _size(self, fields: Fields, like: Image.Image | None) -> tuple[int, int]:
        if like is not None:
            return like.size
        width, height = fields.get("width"), fields.get("height")
        if isinstance(width, int) and isinstance(height, int):
            return new("1", (width, height)).size
        return _USUAL


def _name(field: Any, key: str) -> str:
    name = field.get(key) if isinstance(field, dict) else None
    return name if isinstance(name, str) else ""


def _named(value: Any, key: str) -> Iterator[str]:
    """The names under this key in fields, lists of fields, and the fields of fields."""
    if isinstance(value, dict):
        if isinstance(value.get(key), str):
            yield value[key]
        for part in value.values():
            yield from _named(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _named(part, key)
