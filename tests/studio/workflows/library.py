"""A person's workflows, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from tests.apps import Subject
from tests.studio.things import workflow

LIBRARY = "/api/v1/workflows"


async def keep(subject: Subject, **changes: Any) -> dict[str, Any]:
    answer = await subject.post(f"{LIBRARY}/", json={"workflow": workflow(**changes)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
