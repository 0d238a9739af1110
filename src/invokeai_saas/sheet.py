"""A sheet of pictures of a model, each made by our own worker over the public API: what a model card shows."""

from __future__ import annotations

import asyncio
import io
import statistics
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track

from invokeai_saas.demo import DemoPerson
from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import SetupError
from invokeai_saas.local import LocalService, running_service
from invokeai_saas.settings import Settings

_COLUMNS = 6
_CAPTION = 22  # pixels
_TILE = 192  # pixels
_SEED = 1


def make_sheet(settings: Settings, prompts: Sequence[str], output: Path, console: Console) -> None:
    """Starts the service, draws every prompt once with the same seed, unpicked, and writes the sheet.

    Parameters:
        prompts: one picture each.
        output: the PNG to write.

    Raises:
        SetupError: a picture could not be made.
    """
    with tempfile.TemporaryDirectory(prefix="invokeai-saas-sheet-") as folder:
        port = free_port()
        changes = {"data_dir": Path(folder), "port": port, "public_url": f"http://127.0.0.1:{port}"}
        service = LocalService(settings.model_copy(update=changes), quiet=True, payments=False)
        with running_service(service, lambda text: console.print(f"• {text}", highlight=False)):
            pictures, seconds = asyncio.run(_draw(f"http://127.0.0.1:{port}", prompts, console))
    output.parent.mkdir(parents=True, exist_ok=True)
    _compose(prompts, pictures).save(output, optimize=True)
    first, rest = seconds[0], seconds[1:] or seconds
    console.print(
        f"{len(pictures)} pictures in {output}. Claim to settlement: the first {first:.1f} s (model load included),"
        f" then median {statistics.median(rest):.1f} s, longest {max(rest):.1f} s.",
        highlight=False,
    )


async def _draw(url: str, prompts: Sequence[str], console: Console) -> tuple[list[Image.Image], list[float]]:
    person = DemoPerson(url)
    pictures: list[Image.Image] = []
    seconds: list[float] = []
    try:
        await person.sign_up()
        model = await person.model()
        for prompt in track(prompts, description="Drawing", console=console):
            item = await person.generate(model, prompt, _SEED, lambda _part, _message: None)
            if item["status"] != "completed":
                raise SetupError(f"{prompt!r} {item['status']}: {item.get('error_message')}", "See the logs.")
            _, png = await person.download(item)
            pictures.append(Image.open(io.BytesIO(png)).convert("RGB"))
            seconds.append(_elapsed(item))
    finally:
        await person.close()
    return pictures, seconds


def _elapsed(item: dict[str, Any]) -> float:
    """Seconds from claim to settlement."""
    started, completed = (datetime.fromisoformat(item[name]) for name in ("started_at", "completed_at"))
    return (completed - started).total_seconds()


def _compose(prompts: Sequence[str], pictures: Sequence[Image.Image]) -> Image.Image:
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _TILE, rows * (_TILE + _CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for number, (prompt, picture) in enumerate(zip(prompts, pictures, strict=True)):
        x, y = number % _COLUMNS * _TILE, number // _COLUMNS * (_TILE + _CAPTION)
        sheet.paste(picture.resize((_TILE, _TILE), Image.Resampling.LANCZOS), (x, y))
        text = prompt if draw.textlength(prompt, font) <= _TILE - 8 else f"{prompt[:28]}…"
        draw.text((x + _TILE / 2, y + _TILE + 4), text, "black", font, anchor="ma")
    return sheet
