"""What a person may name as a model's source: a repository of the model hub, or the address of one file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from invokeai_saas.catalog.installs.checks import WEIGHTS, is_safe_path
from invokeai_saas.catalog.installs.fetching import Fetcher
from invokeai_saas.errors import InvalidInput

_VARIANTS = ("", "fp16", "fp32")
# `name/repo`, `name/repo:fp16`, `name/repo:fp16:folder`, `name/repo::folder/file.safetensors`
_REPO = re.compile(r"([\w.-]{1,96}/[\w.-]{1,96})(?::(\w*)(?::/?([^:]{1,500}))?)?", re.ASCII)
_FILE_PAGE = re.compile(r"(https?://[^/]+/[^/]+/[^/]+)/blob/([^?#]+)(?:[?#].*)?")
_MAX_SOURCE = 4096


@dataclass(frozen=True)
class Source:
    """One source.

    Parameters:
        text: the same for the same source, so that it is not installed twice at a time.
        wire: InvokeAI's ModelSource, without the access token.
        source_type: InvokeAI's name of the kind, for records.
    """

    text: str
    wire: dict[str, Any]
    source_type: str


def read_source(text: str, fetcher: Fetcher, hub_url: str) -> Source:
    """Makes sense of what a person named.

    Parameters:
        hub_url: of the model hub, without a slash at the end.

    Raises InvalidInput: neither a repository nor an address that we go to.
    """
    text = text.strip().strip('"')
    if len(text) > _MAX_SOURCE or "\0" in text:
        raise InvalidInput(("source",), "This is no source of a model.")
    hub_page = re.fullmatch(re.escape(hub_url) + r"/([\w.-]+/[\w.-]+?)/?", text, re.ASCII)
    if hub_page:
        text = hub_page[1]
    if text.startswith(("http://", "https://")):
        return _address(text, fetcher)
    found = _REPO.fullmatch(text)
    if not found or ".." in found[1]:
        raise InvalidInput(
            ("source",),
            "Name a repository (owner/name, or owner/name::folder/file.safetensors) or an https address."
            " Files of the server's own can't be installed.",
        )
    return _repository(found[1], found[2], found[3])


def _repository(repo: str, variant: str | None, folder: str | None) -> Source:
    if (variant or "") not in _VARIANTS:
        raise InvalidInput(("source",), "The variant must be fp16 or fp32, or be left out.")
    if folder and not all(is_safe_path(part.strip()) for part in folder.split("+")):
        raise InvalidInput(("source",), "The part behind the repository must be a plain path in it.")
    text = repo + (f":{variant}" if variant else "") + (f"::{folder}" if folder else "")
    wire = {
        "repo_id": repo,
        "variant": variant or None,
        "subfolder": folder,
        "access_token": None,
        "type": "hf",
    }
    return Source(text, wire, "hf_repo_id")


def _address(text: str, fetcher: Fetcher) -> Source:
    page = _FILE_PAGE.fullmatch(text)
    url = f"{page[1]}/resolve/{page[2]}" if page else text.partition("#")[0]
    fetcher.check_source(url)
    return Source(url, {"url": url, "access_token": None, "type": "url"}, "url")


def file_name(url: str, disposition: str | None) -> str:
    """What a downloaded file is called. Parameters: disposition: the Content-Disposition header."""
    named = _disposition_name(disposition or "") or PurePosixPath(unquote(urlsplit(url).path)).name
    name = re.sub(r"[^A-Za-z0-9_.+ ()\[\]-]", "_", named).strip(" .")[-120:].lstrip(" .-+()[]")
    if not PurePosixPath(name).suffix or PurePosixPath(name).name.isdigit():
        name = f"{name or 'model'}{WEIGHTS}"
    return name


def _disposition_name(header: str) -> str:
    """RFC 6266: `filename*` before `filename`."""
    starred = re.search(r"filename\*\s*=\s*utf-8''([^;]+)", header, re.IGNORECASE)
    if starred:
        return PurePosixPath(unquote(starred[1])).name
    plain = re.search(r'filename\s*=\s*"?([^";]+)', header, re.IGNORECASE)
    return PurePosixPath(plain[1].strip()).name if plain else ""
