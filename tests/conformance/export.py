"""Writes InvokeAI's OpenAPI document to a file. Runs in the engine's environment, where InvokeAI is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(target: Path) -> None:
    """Writes the file whole or not at all: several runs may want it at once."""
    from invokeai.app.api_app import app

    unfinished = target.with_name(f"{target.name}.{id(app)}")
    unfinished.write_text(json.dumps(app.openapi(), sort_keys=True), encoding="utf-8")
    unfinished.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
