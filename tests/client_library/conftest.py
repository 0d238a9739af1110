"""Stock InvokeAI with a model for the examples, once; what they saw there."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench import peer
from bench.contender import BenchError, Contender, running
from bench.library import Library

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIENT = ROOT / ".venv-client" / "bin" / "python"
ENGINE = ROOT / ".venv-engine" / "bin" / "python"
# The key that the library's own workflow names its model by.
MODEL: dict[str, Any] = {
    "key": "914b2e5a-b8d3-4da1-965f-b3775bbc5745",
    "name": "Noise",
    "description": "Random weights of SDXL's form",
}


@pytest.fixture(scope="session")
def environments() -> None:
    """Skips, loudly, where the environments are missing that `make dev` makes."""
    for python in (CLIENT, ENGINE):
        if not python.exists():
            pytest.skip(
                f"NOT TESTED: other people's client library. No {python.parent.parent.name}: `make dev`."
            )


@pytest.fixture(scope="session")
def seen_at_stock(environments: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples saw at stock InvokeAI in multi-user mode, as one of its people."""
    folder = tmp_path_factory.mktemp("stock")
    try:
        peer.install()
    except BenchError as error:
        pytest.skip(f"NOT TESTED: other people's client library. {error}")
    _run(str(ENGINE), str(HERE / "sdxl.py"), str(folder / "model"))
    stock = peer.prepare(folder / "root", Library(pictures=0, others=0, boards=0, people=0))
    with running(stock):
        _install_model(stock, folder / "model")
        seen: dict[str, Any] = json.loads(_run(*command(f"http://127.0.0.1:{stock.port}", stock.log_in())))
    return seen


def command(address: str, token: str) -> list[str]:
    """Runs the examples; what they saw is printed as JSON."""
    return [str(CLIENT), str(HERE / "examples.py"), address, token]


def _install_model(stock: Contender, model: Path) -> None:
    token = peer.admin_token(stock)
    job = stock.call("POST", f"/api/v2/models/install?source={model}&inplace=true", MODEL, token)
    deadline = time.monotonic() + 120
    while job["status"] not in ("completed", "error") and time.monotonic() < deadline:
        time.sleep(0.2)
        job = stock.call("GET", f"/api/v2/models/install/{job['id']}", token=token)
    assert job["status"] == "completed", job


def _run(*arguments: str) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
