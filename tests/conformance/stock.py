"""Stock InvokeAI in multi-user mode, to be compared with: its own web server, in the benchmark's environment for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.contender import HOST, Contender, running
from invokeai_saas.embedded.ports import free_port
from tests.apps import PASSWORD
from tests.conformance.document import ENGINE, ROOT

PYTHON = ROOT / ".venv-peer" / "bin" / "python"
EMAIL = "ada@example.com"
MISSING = (
    "STOCK INVOKEAI IS NOT INSTALLED, so OUR ANSWERS WERE NOT COMPARED WITH ITS. `make dev` makes .venv-engine and"
    " .venv-peer."
)
_START = "from invokeai.app.run_app import run_app; run_app()"
_ADMIN = {"email": "admin@example.com", "display_name": "Admin", "password": PASSWORD}
_PERSON = {"email": EMAIL, "display_name": "Ada", "password": PASSWORD}


def is_installed() -> bool:
    return PYTHON.exists() and ENGINE.exists()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A fresh InvokeAI with an administrator and a person who is none; its address.

    Parameters:
        folder: its root folder, empty.
    """
    port = free_port()
    # JSON is YAML.
    configuration = {
        "schema_version": "4.0.2", "host": HOST, "port": port, "device": "cpu", "multiuser": True,
        "log_level": "warning",
    }  # fmt: skip
    (folder / "invokeai.yaml").write_text(json.dumps(configuration))
    contender = Contender(
        name="stock InvokeAI",
        command=[str(PYTHON), "-c", _START, "--root", str(folder)],
        environment=os.environ | {"INVOKEAI_ROOT": str(folder)},
        port=port,
        log=folder / "stock.log",
        email=EMAIL,
        password=PASSWORD,
    )
    with running(contender):
        url = f"http://{HOST}:{port}"
        with httpx.Client(base_url=f"{url}/api/v1/auth", timeout=120) as client:
            client.post("/setup", json=_ADMIN).raise_for_status()
            login = client.post("/login", json={"email": _ADMIN["email"], "password": PASSWORD})
            bearer = {"Authorization": f"Bearer {login.json()['token']}"}
            client.post("/users", json=_PERSON, headers=bearer).raise_for_status()
        yield url
