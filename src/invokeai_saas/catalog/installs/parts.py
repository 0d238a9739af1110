"""What an install is to download, file by file, as its row keeps it.

A part is a JSON object: url, path (within the model), bytes and total_bytes, expected (the source's word for its
length), sha256, status, key (of the file that the object store has for it), etag, error_type and error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from invokeai_saas.catalog.installs.claims import InstallJob
from invokeai_saas.catalog.installs.fetching import Fetcher
from invokeai_saas.catalog.installs.hub import Hub, choose

Part = dict[str, Any]


def parts_of(job: InstallJob, fetcher: Fetcher, hub_url: str) -> list[Part]:
    """What there is to download of an install's source. Raises what asking the hub raises."""
    source = job.source
    if source["type"] == "url":
        return [new_part(source["url"], "", 0, None)]
    files = Hub(fetcher, hub_url).files(source["repo_id"], job.access_token)
    chosen = choose(files, source["variant"], source["subfolder"])
    if len(chosen) == 1:  # a single file is a model by itself, wherever in the repository it lies
        only = chosen[0]
        return [new_part(only.url, PurePosixPath(only.path).name, only.size, only.sha256)]
    root = _common_folder([file.path for file in chosen]) if source["subfolder"] else ""
    return [new_part(file.url, file.path.removeprefix(root), file.size, file.sha256) for file in chosen]


def new_part(url: str, path: str, size: int, sha256: str | None) -> Part:
    """Parameters: size: bytes, 0 where the source does not say."""
    return {
        "url": url,
        "path": path,
        "bytes": 0,
        "total_bytes": size,
        "expected": size,
        "sha256": sha256,
        "status": "waiting",
        "key": None,
        "etag": None,
        "error_type": None,
        "error": None,
    }


def anew(part: Part) -> Part:
    """The part to be downloaded again. Its key stays: a file of before lies there until another takes its place."""
    fresh = {"status": "waiting", "bytes": 0, "etag": None, "error_type": None, "error": None}
    return part | fresh | {"total_bytes": part["expected"]}


def stored_keys(parts: Iterable[Part]) -> list[str]:
    """Keys of the files that the object store has."""
    return [str(part["key"]) for part in parts if part.get("key")]


def received(parts: Iterable[Part]) -> int:
    """Bytes that have come."""
    return sum(part["bytes"] for part in parts)


def expected(parts: Iterable[Part]) -> int:
    """Bytes that will have come at the end, as far as that is known."""
    return sum(max(part["bytes"], part["total_bytes"]) for part in parts)


def _common_folder(paths: list[str]) -> str:
    """The folder that all paths lie in, with a slash at its end; empty for the root."""
    parents = [PurePosixPath(path).parts[:-1] for path in paths]
    common = []
    for level in zip(*parents, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "".join(f"{part}/" for part in common)
