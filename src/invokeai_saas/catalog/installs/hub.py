"""The model hub: which files of a repository make a model.

Its API: https://huggingface.co/docs/hub/api#get-apimodelsrepoid. With `blobs=true` each file has its size, and files
in large storage their SHA-256.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import orjson

from invokeai_saas.catalog.installs.checks import TEXTS, WEIGHTS, is_safe_path
from invokeai_saas.catalog.installs.fetching import Fetcher, SourceAway, SourceRefused

_MAX_LISTING = 16 * 2**20
_MAX_FILES = 200
_PICKLES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl"})
_NOT_OURS = frozenset({"model.json"})  # our own scan reads a file of this name
PIPELINE = "model_index.json"


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository. Parameters: path: within the repository; size: bytes; sha256: hex, where known."""

    path: str
    url: str
    size: int
    sha256: str | None


class Hub:
    """Parameters: url: without a slash at the end."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self._fetcher = fetcher
        self._url = url

    def files(self, repo: str, token: str | None = None) -> list[RemoteFile]:
        """Every file of a repository. Raises SourceRefused, SourceAway."""
        address = f"{self._url}/api/models/{quote(repo)}?blobs=true"
        with self._fetcher.open(address, token=token) as answer:
            text = answer.body(_MAX_LISTING)
        try:
            siblings = orjson.loads(text)["siblings"]
            return [self._file(repo, sibling) for sibling in siblings]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceAway("The model hub's answer could not be read.") from error

    def _file(self, repo: str, sibling: dict[str, Any]) -> RemoteFile:
        path = str(sibling["rfilename"])
        large = sibling.get("lfs") or {}
        size = sibling.get("size") or large.get("size") or 0
        url = f"{self._url}/{quote(repo)}/resolve/main/{quote(path)}"
        return RemoteFile(path, url, int(size), large.get("sha256"))


def choose(files: Sequence[RemoteFile], variant: str | None, folder: str | None) -> list[RemoteFile]:
    """The files that make the model that was named.

    Parameters:
        variant: fp16, fp32, or None for files without a variant in their names.
        folder: folders of the repository joined by `+`, or one file; None for the whole.

    Raises SourceRefused: there are none, only pickles, or more than one model to choose from.
    """
    if folder and PurePosixPath(folder).suffix:
        found = [file for file in files if file.path == folder]
        if not found or PurePosixPath(folder).suffix.lower() != WEIGHTS:
            raise SourceRefused(f"The repository has no safetensors file {folder}.")
        return found
    wanted = [part.strip().rstrip("/") + "/" for part in folder.split("+")] if folder else [""]
    within = [
        file
        for file in files
        if any(file.path.startswith(part) for part in wanted)
        and is_safe_path(file.path)
        and PurePosixPath(file.path).name not in _NOT_OURS
    ]
    weights = _weights(within, variant)
    if not weights:
        pickled = any(PurePosixPath(file.path).suffix.lower() in _PICKLES for file in within)
        reason = "holds only pickles, which can run code" if pickled else "holds no safetensors"
        raise SourceRefused(f"The repository {reason}. Choose one with safetensors.")
    described = {PurePosixPath(file.path).name for file in within}
    if not described & {PIPELINE, "config.json"}:
        if len(weights) > 1:
            raise SourceRefused(
                "The repository has several models. Name the one: owner/name::file.safetensors."
            )
        return weights
    chosen = weights + [file for file in within if PurePosixPath(file.path).suffix.lower() in TEXTS]
    if len(chosen) > _MAX_FILES:
        raise SourceRefused(f"The model has more than {_MAX_FILES} files.")
    return sorted(chosen, key=lambda file: file.path)


def _weights(files: Sequence[RemoteFile], variant: str | None) -> list[RemoteFile]:
    """Of each folder the weights of one variant: its own if it has them, else those without a variant."""
    pipeline = any(file.path == PIPELINE for file in files)
    folders: dict[str, list[RemoteFile]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file.path)
        # Beside a pipeline's folders lie single files of the same weights, for other programs.
        if path.suffix.lower() == WEIGHTS and not (pipeline and len(path.parts) == 1):
            folders[str(path.parent)].append(file)
    chosen = []
    for found in folders.values():
        plain = [file for file in found if _variant(file) is None]
        half = [file for file in found if variant and _variant(file) == variant]
        chosen += half or plain or found
    return chosen


def _variant(file: RemoteFile) -> str | None:
    """fp16 of `model.fp16.safetensors` and of `model.fp16-00001-of-00002.safetensors`."""
    suffixes = PurePosixPath(file.path).suffixes
    name = suffixes[-2].lstrip(".").split("-")[0] if len(suffixes) > 1 else None
    return name if name in ("fp16", "fp32", "bf16", "non_ema") else None
