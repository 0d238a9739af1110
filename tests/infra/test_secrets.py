"""infra/secrets, with the commands of AWS and Terraform stood in for: what is made, renewed, and left alone."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

SCRIPT = Path("infra/secrets").resolve()
# Secrets are files below `secrets`. Other input comes by the name of a file, which is read twice, as AWS itself does.
AWS = r"""
input() {
    for word; do case "$word" in file://*) cat "${word#file://}" >/dev/null; cat "${word#file://}" ;; esac; done
}
case "$1 $2" in
"secretsmanager list-secrets") (cd "$WORLD/secrets" && find . -type f | sed 's,^\.,invokeai/dev,') ;;
"secretsmanager get-secret-value") cat "$WORLD/secrets/${4##*/}" 2>/dev/null || exit 254 ;;
"secretsmanager put-secret-value") cat <&3 > "$WORLD/secrets/${4##*/}" ;;
"elasticache describe-users") [ -f "$WORLD/user" ] || exit 254 ;;
"elasticache create-user") input "$@" > "$WORLD/user" ;;
"elasticache modify-user") input "$@" > "$WORLD/user" ;;
"cloudfront-keyvaluestore describe-key-value-store") echo etag ;;
"cloudfront-keyvaluestore put-key") input "$@" > "$WORLD/edge" ;;
esac
echo "$*" >> "$WORLD/log"
"""
TERRAFORM = r"""
case "${*: -1}" in
database) echo '{"endpoint": "writer", "reader_endpoint": "reader"}' ;;
redis) echo '{"endpoint": "cache", "user_group": "group"}' ;;
edge) echo '{"key_value_store_arn": "store"}' ;;
esac
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "secrets").mkdir()
    for name, body in (("aws", AWS), ("terraform", TERRAFORM)):
        stub = tmp_path / "bin" / name
        stub.write_text(f"#!/usr/bin/env bash\n{body}")
        stub.chmod(0o755)
    return tmp_path


async def _run(world: Path, *words: str) -> str:
    """What it prints; questions are answered with nothing."""
    process = await asyncio.create_subprocess_exec(
        "bash", str(SCRIPT), "dev", *words,
        env={**os.environ, "PATH": f"{world / 'bin'}:{os.environ['PATH']}", "WORLD": str(world)},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(b"\n\n\n"), 120)
    assert process.returncode == 0, out.decode()
    return out.decode()


def _secrets(world: Path) -> dict[str, str]:
    return {file.name: file.read_text().strip() for file in (world / "secrets").iterdir()}


def _passwords(world: Path) -> list[str]:
    found: list[str] = json.loads((world / "user").read_text())["AuthenticationMode"]["Passwords"]
    return found


async def test_what_is_empty_gets_a_value_and_none_is_shown(world: Path) -> None:
    printed = await _run(world)
    made = _secrets(world)
    assert {name for name in made if name.startswith("database-")} == {
        f"database-{role}url" for role in ("", "reader-", "auth-", "staff-", "owner-", "worker-", "billing-")
    }
    passwords = {name: urlsplit(url).password for name, url in made.items() if name.startswith("database-")}
    assert passwords["database-url"] == passwords["database-reader-url"]
    assert len(set(passwords.values())) == len(passwords) - 1
    assert _passwords(world) == [urlsplit(made["redis-url"]).password]
    assert json.loads((world / "edge").read_text()) == {"Value": made["media-signing-key"]}
    said = printed + (world / "log").read_text()
    for value in made.values():
        for secret in re.findall(r"[A-Za-z0-9_-]{40,}", value):
            assert secret not in said
    assert await _run(world) and _secrets(world) == made  # again: nothing is changed


async def test_renewing_changes_passwords_and_keeps_the_caches_last_one(world: Path) -> None:
    await _run(world)
    first = _secrets(world)
    await _run(world, "--renew")
    second = _secrets(world)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {name for name in first if name.startswith("database-")} | {"redis-url"}
    assert _passwords(world) == [urlsplit(now["redis-url"]).password for now in (second, first)]
    await _run(world, "--renew")
    assert _passwords(world) == [urlsplit(now["redis-url"]).password for now in (_secrets(world), second)]
