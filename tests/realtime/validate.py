"""Validates events by InvokeAI's own models; runs in the engine's environment.

Standard input: a list of [name, payload]. Standard output: InvokeAI's event names, and what is wrong with which event.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from invokeai.app.services.events.events_common import EventBase
from pydantic import ValidationError


def problem(model: Any, payload: dict[str, Any]) -> str | None:
    if model is None:
        return "InvokeAI has no such event"
    fields = set(model.model_fields)
    if fields != set(payload):
        return f"missing {sorted(fields - set(payload))}, unknown {sorted(set(payload) - fields)}"
    try:
        model.model_validate(payload)
    except ValidationError as error:
        return str(error)
    return None


def main() -> None:
    models = {model.__event_name__: model for model in EventBase.get_events()}
    wrong = []
    for name, payload in json.load(sys.stdin):
        found = problem(models.get(name), payload)
        if found:
            wrong.append([name, found])
    # The engine's libraries print to standard output as they please; our line is the last.
    sys.stdout.write("\n" + json.dumps({"names": sorted(models), "wrong": wrong}))


if __name__ == "__main__":
    main()
