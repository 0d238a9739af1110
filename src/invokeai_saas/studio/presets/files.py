"""Files of style presets: CSV or JSON as InvokeAI reads them, CSV as it writes it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from fastapi import UploadFile

from invokeai_saas.errors import InvalidInput, PayloadTooLarge, UnsupportedMediaType
from invokeai_saas.studio.bodies import checked, parse_json
from invokeai_saas.studio.presets.schemas import (
    MAX_PRESETS,
    MAX_PROMPT_CHARS,
    MAX_STORED_BYTES,
    PresetRow,
    PresetRows,
)
from invokeai_saas.studio.presets.tables import StylePreset

CSV = "text/csv"
JSON = "application/json"
_COLUMNS = ("name", "prompt", "negative_prompt")
_PLACE = ("file",)


async def read_upload(file: UploadFile) -> bytes:
    """The bytes of a file of presets.

    Raises:
        UnsupportedMediaType: neither CSV nor JSON by its declared type.
        PayloadTooLarge: longer than all presets of a person together may be.
    """
    if file.content_type not in (CSV, JSON):
        raise UnsupportedMediaType("Presets are imported from CSV (text/csv) or JSON (application/json).")
    data = await file.read(2 * MAX_STORED_BYTES + 1)
    if len(data) > 2 * MAX_STORED_BYTES:
        raise PayloadTooLarge(f"A file of presets may have {2 * MAX_STORED_BYTES} bytes.")
    return data


def parse(data: bytes, content_type: str) -> list[PresetRow]:
    """The presets in a file. Takes a part of a second for the longest.

    Raises:
        InvalidInput, RequestValidationError: what is in it are no presets; both name the line and the column.
    """
    rows = _csv_rows(data) if content_type == CSV else parse_json(data, _PLACE)
    return checked(PresetRows, rows, _PLACE, MAX_PROMPT_CHARS).root


def _csv_rows(data: bytes) -> list[dict[Any, Any]]:
    """Lines by column. A line with more fields than the head has them under None, and is refused for it."""
    try:
        lines = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), restkey="too many columns")
        rows = []
        for line in lines:
            rows.append({column: value for column, value in line.items() if value is not None})
            if len(rows) > MAX_PRESETS:
                raise InvalidInput(_PLACE, f"At most {MAX_PRESETS} presets can be imported.")
    except UnicodeDecodeError as error:
        raise InvalidInput(_PLACE, "The file must be UTF-8 text.") from error
    except csv.Error as error:
        raise InvalidInput(_PLACE, f"This is not valid CSV: {error}.") from error
    return rows


def as_csv(presets: Iterable[StylePreset]) -> str:
    """Presets with InvokeAI's three columns."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows((preset.name, preset.positive_prompt, preset.negative_prompt) for preset in presets)
    return text.getvalue()
