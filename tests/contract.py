"""docs/contract.md as data: what each of InvokeAI's operations answers here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

DOCUMENT = Path(__file__).parent.parent / "docs" / "contract.md"
_ROW = re.compile(r"\| (GET|HEAD|POST|PUT|PATCH|DELETE) \| `([^`]+)` \| (\w+) \| (.*?) ?\|")
_NEEDED = {
    "/api/v1/workflows/counts_by_category": "?categories=user",
    "/api/v1/workflows/counts_by_tag": "?tags=a",
}


class Operation(NamedTuple):
    """A row. Parameters: answer: "served", "empty", "403" or "501"."""

    method: str
    path: str
    answer: str
    why: str

    @property
    def name(self) -> str:
        """As other tables call it."""
        return f"{self.method} {self.path}"

    @property
    def example(self) -> str:
        """A path of this operation that names nothing there is."""
        return re.sub(r"\{\w+\}", str(uuid4()), self.path) + _NEEDED.get(self.path, "")

    @property
    def is_public(self) -> bool:
        return "without log-in" in self.why

    @property
    def is_answered(self) -> bool:
        """Rather than refused."""
        return self.answer in ("served", "empty")


OPERATIONS = [Operation(*found) for found in _ROW.findall(DOCUMENT.read_text())]
BY_NAME = {operation.name: operation for operation in OPERATIONS}
