"""The mock engine: no torch, procedural pictures from the prompt; same queue, same events, same metering.

For development and tests, as the source document asks. It walks the graph's denoising and output nodes like the
real engine does, reports progress with previews, and honours cancellation at every step.
"""

from __future__ import annotations

import base64
import colorsys
import io
import json
import math
import threading
import time
import uuid
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from invokeai_saas.errors import InvalidInput, ServiceError, Unavailable
from invokeai_saas.worker.contract import ClaimedJob, JobContext, ModelRecord, Outcome, image_name_for

_OUTPUTS = {"l2i", "flux_vae_decode", "sd3_l2i", "cogview4_l2i"}
_COLOURS = {
    "red": 0.0,
    "orange": 0.08,
    "yellow": 0.15,
    "green": 0.33,
    "blue": 0.6,
    "purple": 0.78,
    "pink": 0.92,
}
_PREVIEW_PIXELS = 32


class MockEngine:
    """Draws instead of inferring.

    Parameters:
        step_seconds: how long one denoising step takes.
    """

    name = "mock"

    def __init__(self, step_seconds: float) -> None:
        self._step_seconds = step_seconds
        self._loaded: list[str] = []

    def warm_up(self) -> None:
        """There is nothing to warm up."""

    def loaded_models(self) -> list[str]:
        return list(self._loaded)

    def identify(self, path: Path, logical_path: str, said: dict[str, Any]) -> ModelRecord:
        """Knows LoRAs of Stable Diffusion 1 by the names of their tensors, and nothing else."""
        if not path.is_file() or not any("lora" in name for name in _tensor_names(path)):
            raise InvalidInput(("path",), f"{path.name} is no LoRA, and the mock engine knows nothing else.")
        digest = sha256(path.read_bytes()).hexdigest()
        known = {
            "hash": f"sha256:{digest}", "path": logical_path, "file_size": path.stat().st_size, "name": path.stem,
            "description": None, "source": logical_path, "source_type": "path", "source_api_response": None,
            "source_url": None, "cover_image": None, "type": "lora", "base": "sd-1", "format": "lycoris",
            "trigger_phrases": None, "default_settings": None,
        }  # fmt: skip
        return known | said

    def run(self, job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        started = time.perf_counter()
        run = _Run(job, context, cancel, self._step_seconds)
        try:
            self._loaded = run.load_models() or self._loaded
            finished = run.draw()
        except Unavailable:
            raise
        except (ServiceError, ValueError, KeyError) as error:
            return Outcome("failed", "{}", type(error).__name__, str(error), "")
        seconds = {"mock": time.perf_counter() - started}
        return Outcome(
            "completed" if finished else "canceled",
            run.session(),
            node_seconds=seconds,
            models_loaded=self._loaded,
        )


def _tensor_names(path: Path) -> list[str]:
    """Names in the header of a safetensors file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return list(json.loads(file.read(min(length, path.stat().st_size))))


class _Run:
    """One job."""

    def __init__(
        self, job: ClaimedJob, context: JobContext, cancel: threading.Event, step_seconds: float
    ) -> None:
        self._job = job
        self._context = context
        self._cancel = cancel
        self._step_seconds = step_seconds
        self._nodes: dict[str, dict[str, Any]] = job.graph["nodes"]
        self._results: dict[str, dict[str, Any]] = {}
        self._prepared: dict[str, str] = {}

    def load_models(self) -> list[str]:
        keys = [
            node["model"]["key"]
            for node in self._nodes.values()
            if node["type"].endswith("model_loader") and isinstance(node.get("model"), dict)
        ]
        for key in keys:
            self._context.models().get(key)
        return keys

    def draw(self) -> bool:
        """Runs every output node, or one picture for a graph without any; false when cancelled."""
        outputs = [node for node in self._nodes.values() if node["type"] in _OUTPUTS]
        steps = max(
            (node["steps"] for node in self._nodes.values() if isinstance(node.get("steps"), int)), default=1
        )
        denoiser = next((n for n in self._nodes.values() if isinstance(n.get("steps"), int)), None)
        for output in outputs or list(self._nodes.values())[-1:]:
            image = _picture(self._text(), self._seed(), self._size())
            if not self._denoise(denoiser or output, image, steps):
                return False
            self._save(output, image)
        return True

    def _denoise(self, node: dict[str, Any], image: Image.Image, steps: int) -> bool:
        self._emit("invocation_started", node)
        for step in range(steps):
            # Waits as long as a step would take, and wakes at once when cancelled.
            if self._cancel.wait(self._step_seconds):
                return False
            preview = _preview(image, (step + 1) / steps)
            progress = {
                "message": "Denoising",
                "percentage": (step + 1) / steps,
                "image": preview,
                "device": "mock",
            }
            self._emit("invocation_progress", node, **progress)
        return True

    def _save(self, node: dict[str, Any], image: Image.Image) -> None:
        stored = self._context.save_image(
            image,
            image_name=image_name_for(self._job.name_key, node["id"], (), 0),
            node_id=node["id"],
            session_id=self._job.session_id,
            image_origin="internal",
            image_category="general",
            is_intermediate=bool(node.get("is_intermediate", False)),
            board_id=(node.get("board") or {}).get("board_id"),
            metadata=None,
            workflow=None,
            graph=None,
        )
        result = {
            "type": "image_output",
            "image": {"image_name": stored.image_name},
            "width": stored.width,
            "height": stored.height,
        }
        self._results[self._prepared_id(node)] = result
        self._emit("invocation_complete", node, result=result)

    def _prepared_id(self, node: dict[str, Any]) -> str:
        return self._prepared.setdefault(node["id"], str(uuid.uuid4()))

    def _emit(self, event: str, node: dict[str, Any], **more: Any) -> None:
        job = self._job
        self._context.emit(
            event,
            {
                "queue_id": job.queue_id,
                "item_id": job.item_id,
                "batch_id": job.batch_id,
                "origin": job.origin,
                "destination": job.destination,
                "user_id": job.user_id,
                "session_id": job.session_id,
                "invocation": {**node, "id": self._prepared_id(node)},
                "invocation_source_id": node["id"],
                **more,
            },
        )

    def _text(self) -> str:
        """The prompt: the longest text that any node holds."""
        texts = [
            n.get("value") or n.get("prompt")
            for n in self._nodes.values()
            if n["type"] in ("string", "compel")
        ]
        return max((text for text in texts if isinstance(text, str)), key=len, default="")

    def _seed(self) -> int:
        seeds = [
            n.get("value", n.get("seed")) for n in self._nodes.values() if n["type"] in ("integer", "noise")
        ]
        return next((seed for seed in seeds if isinstance(seed, int)), 0)

    def _size(self) -> tuple[int, int]:
        # Metadata only tells of a size, and of another one than is drawn where its writer forgot it.
        nodes = [n for n in self._nodes.values() if n["type"] != "core_metadata"]
        widths = [n["width"] for n in nodes if isinstance(n.get("width"), int)]
        heights = [n["height"] for n in nodes if isinstance(n.get("height"), int)]
        return max(widths, default=256), max(heights, default=256)

    def session(self) -> str:
        return json.dumps(
            {
                "id": self._job.session_id,
                "graph": self._job.graph,
                "execution_graph": {"id": self._job.session_id, "nodes": {}, "edges": []},
                "executed": list(self._results),
                "executed_history": list(self._prepared),
                "results": self._results,
                "errors": {},
                "workflow_call_stack": [],
                "workflow_call_history": [],
                "max_workflow_call_depth": 4,
                "prepared_iteration_paths": {},
                "ready_order": [],
                "indegree": {},
                "prepared_source_mapping": {prepared: node for node, prepared in self._prepared.items()},
                "source_prepared_mapping": {node: [prepared] for node, prepared in self._prepared.items()},
            }
        )


def _picture(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    """A rose curve in the prompt's colour on a soft gradient: the same prompt and seed give the same picture."""
    digest = sha256(f"{seed}:{prompt}".encode()).digest()
    words = prompt.lower().split()
    hue = next((_COLOURS[word] for word in words if word in _COLOURS), digest[0] / 255)
    width, height = size
    background = Image.linear_gradient("L").resize(size)
    light = Image.new("RGB", size, _rgb(hue + 0.5, 0.15, 0.98))
    dark = Image.new("RGB", size, _rgb(hue + 0.5, 0.35, 0.75))
    image = Image.composite(dark, light, background)
    petals, turn = 2 + digest[1] % 6, digest[2] / 40
    radius = min(size) * 0.42
    points = []
    for degree in range(720):
        angle = math.radians(degree / 2)
        reach = radius * (0.55 + 0.45 * abs(math.cos(petals * angle / 2 + turn)))
        points.append((width / 2 + reach * math.cos(angle), height / 2 + reach * math.sin(angle)))
    ImageDraw.Draw(image).polygon(points, fill=_rgb(hue, 0.85, 0.9), outline=_rgb(hue, 0.9, 0.55))
    return image


def _rgb(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)


def _preview(image: Image.Image, part: float) -> dict[str, Any]:
    """InvokeAI's ProgressImage: a small JPEG as a data URL that gets clearer as the steps go by."""
    grey = Image.new("RGB", (_PREVIEW_PIXELS, _PREVIEW_PIXELS), (128, 128, 128))
    small = Image.blend(grey, image.resize((_PREVIEW_PIXELS, _PREVIEW_PIXELS)), part)
    with io.BytesIO() as out:
        small.save(out, "JPEG")
        data = base64.b64encode(out.getvalue()).decode()
    return {"width": image.width, "height": image.height, "dataURL": f"data:image/jpeg;base64,{data}"}
