"""Whether the process in this container does its work: `python -m invokeai_saas.health api|workers`.

Slim images have no curl, and this is asked every 30 seconds: it uses the standard library alone and starts in some tens
of milliseconds. Ends with 0 when all is well, otherwise with 1 and a sentence.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

PATH = "/api/v1/app/version"
_SECONDS = 4.0  # below the time-out of the container's check, so that the sentence is said
READY = Path("worker", "ready")  # below DATA_DIR: a file for each worker that is ready
EXPECTED = "expected"  # in it: how many there are to be


def api_problem(port: int, seconds: float = _SECONDS) -> str | None:
    """What is wrong with the API that listens at `port` of this machine; None when it answers.

    Parameters:
        seconds: to wait for an answer.
    """
    url = f"http://127.0.0.1:{port}{PATH}"
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return None if answer.status == 200 else f"{url} answered {answer.status}"
    except (urllib.error.URLError, OSError) as error:
        return f"{url}: {error}"


def workers_problem(data_dir: Path, single: str | None = None) -> str | None:
    """What is wrong with the workers of this container; None when all have loaded the engine.

    Parameters:
        data_dir: where `invokeai-saas workers` keeps their signs.
        single: WORKER_READY_FILE, where the container runs one `invokeai-saas worker` by itself.
    """
    if single:
        return None if Path(single).exists() else "The worker is not ready"
    folder = data_dir / READY
    try:
        expected = int((folder / EXPECTED).read_text())
    except (OSError, ValueError):
        return f"No workers have been started below {data_dir}."
    ready = sum(1 for file in folder.iterdir() if file.name != EXPECTED)
    return None if ready >= expected else f"{ready} of {expected} workers are ready"


_CHECKS: dict[str, Callable[[], str | None]] = {
    "api": lambda: api_problem(int(os.environ.get("PORT") or 8080)),
    "workers": lambda: workers_problem(
        Path(os.environ.get("DATA_DIR") or "data"), os.environ.get("WORKER_READY_FILE")
    ),
}


def main(arguments: list[str]) -> int:
    """Parameters: arguments: what is asked, `api` or `workers`."""
    if len(arguments) != 1 or arguments[0] not in _CHECKS:
        sys.stderr.write(f"One of these is asked: {', '.join(_CHECKS)}\n")
        return 2
    problem = _CHECKS[arguments[0]]()
    if problem is not None:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
