"""What models lie below MODEL_DIR, by InvokeAI's probe in the engine's environment.

It stands apart from what starts a whole machine, so that a worker's image, which has no web libraries, can scan too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings

_SCAN_SECONDS = 300


def scan(settings: Settings, environment: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Records of the models below MODEL_DIR, as InvokeAI's probe in the engine's environment sees them.

    Raises:
        SetupError: there is no such environment, or the probe failed.
    """
    probe = ("admin", "models", "probe", str(settings.model_dir.absolute()))
    command = [str(settings.engine_python), "-m", "invokeai_saas", *probe]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_SCAN_SECONDS, check=True
        )
    except FileNotFoundError as error:
        raise SetupError("The engine's environment is missing.", "Run `make install`.") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        raise SetupError(
            f"The models could not be examined: {lines[-1] if lines else 'no message'}",
            f"Look at {settings.model_dir} and at `invokeai-saas doctor`.",
        ) from error
    for line in done.stderr.splitlines():
        if line.startswith("left out "):
            sys.stderr.write(f"{line}\n")
    # The engine's libraries print to standard output as they please; our records are the lines that are objects.
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"key"')]
