"""InvokeAI's own OpenAPI document, made from its installed package, and validators of its schemas.

It is never committed: it is InvokeAI's. The engine's environment writes it when a test first needs it, into `build/`,
under a name that changes with the locked packages.
"""

from __future__ import annotations

import subprocess
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / ".venv-engine" / "bin" / "python"
_EXPORT = Path(__file__).with_name("export.py")
_LOCK = ROOT / "requirements" / "engine.txt"
_METHODS = ("get", "head", "post", "put", "patch", "delete")
_URI = "urn:invokeai"
Json = dict[str, Any]


@cache
def document() -> Json:
    """The document, OpenAPI 3.1. Raises CalledProcessError when the export fails."""
    version = sha256(_LOCK.read_bytes() + _EXPORT.read_bytes()).hexdigest()[:12]
    file = ROOT / "build" / f"invokeai-openapi-{version}.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        subprocess.run([str(ENGINE), str(_EXPORT), str(file)], check=True, capture_output=True, timeout=300)
    found: Json = orjson.loads(file.read_bytes())
    return found


def described(openapi: Json) -> dict[str, Json]:
    """The operations of an OpenAPI document by "METHOD path"."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    }


@cache
def operations() -> dict[str, Json]:
    """InvokeAI's operations by "METHOD path"."""
    return described(document())


def success(name: str) -> int:
    """The status with which InvokeAI answers when all is well: the first that its endpoint declares."""
    return min(int(status) for status in operations()[name]["responses"] if status.startswith("2"))


def contents(name: str, status: int) -> Json:
    """What InvokeAI documents for an answer: media types and their schemas."""
    found: Json = operations()[name]["responses"].get(str(status), {}).get("content", {})
    return found


@cache
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([(_URI, document())], draft=jsonschema_rs.Draft202012)


@cache
def validator(name: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    """What checks a JSON answer of an operation; None when InvokeAI promises nothing about its form."""
    schema = contents(name, status).get("application/json", {}).get("schema")
    if not schema:
        return None
    absolute = orjson.loads(orjson.dumps(schema).replace(b'"#/', f'"{_URI}#/'.encode()))
    return jsonschema_rs.Draft202012Validator(absolute, registry=_registry(), validate_formats=True)
