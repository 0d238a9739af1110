"""One file of an install: from its source to this machine's disk, and looked at there.

It is written to the disk first, so that a download that was paused or broke off goes on where it was, and so that
nothing of a bad file is kept. Memory holds one piece of it at a time.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from invokeai_saas.catalog.installs.checks import WEIGHTS, FileCheck
from invokeai_saas.catalog.installs.fetching import Answer, Fetcher, SourceAway, SourceRefused
from invokeai_saas.catalog.installs.parts import Part
from invokeai_saas.catalog.installs.room import NO_DISK, Room
from invokeai_saas.catalog.installs.sources import file_name
from invokeai_saas.errors import Unavailable


class Receiver:
    """Receives the files of one install.

    Parameters:
        token: for the source.
        go_on: raises when the download is to stop; asked with every piece.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        token: str | None,
        room: Room,
        parts: Sequence[Part],
        go_on: Callable[[], None],
    ) -> None:
        self._fetcher, self._token, self._room, self._go_on = fetcher, token, room, go_on
        self._parts = parts

    def receive(self, part: Part, place: Path) -> None:
        """The file to this disk, from where it was left on.

        Raises:
            SourceAway: it broke off again.
            SourceRefused, InvalidInput: it is none that is taken.
            StorageQuotaExceeded: there is no room for it in the plan.
            Unavailable: there is none on this disk.
        """
        have = place.stat().st_size if place.exists() else 0
        headers = {}
        if have and part.get("etag"):
            headers = {"Range": f"bytes={have}-", "If-Range": part["etag"]}
        with self._fetcher.open(part["url"], token=self._token, headers=headers) as answer:
            if answer.status == 416:  # what is here is not what is there
                place.unlink(missing_ok=True)
                raise SourceAway("The download has to begin again.")
            if answer.status != 206 or _range_start(answer) != have:
                have = 0
            part["bytes"] = have
            self._note(part, answer, have)
            try:
                with place.open("r+b" if have else "wb") as out:
                    out.seek(have)
                    out.truncate()
                    self._copy(part, answer, out)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise Unavailable(NO_DISK) from error
        if part["total_bytes"] and part["bytes"] != part["total_bytes"]:
            raise SourceAway("The download ended before the file did.")

    def check(self, part: Part, place: Path) -> str:
        """The whole file once more, from this disk: its form, and its SHA-256.

        Raises InvalidInput, SourceRefused: it is none that is taken, or not the one that the hub lists.
        """
        check, digest = FileCheck(part["path"]), hashlib.sha256()
        for chunk in _chunks(place):
            self._go_on()
            check.feed(chunk)
            digest.update(chunk)
        check.finish()
        if part["sha256"] and digest.hexdigest() != part["sha256"]:
            raise SourceRefused(f"{part['path']} is not the file that the model hub lists: its hash differs.")
        return digest.hexdigest()

    def _note(self, part: Part, answer: Answer, have: int) -> None:
        """What the answer's head says: name, length, version."""
        etag = answer.headers.get("etag", "")
        part["etag"] = etag if etag.startswith('"') else None  # a weak one does not promise the same bytes
        if "text/html" in answer.headers.get("content-type", ""):
            raise SourceRefused("The source answers with a web page. It may want an access token.")
        if not part["path"]:
            part["path"] = file_name(part["url"], answer.headers.get("content-disposition"))
        if len(self._parts) == 1 and not part["path"].lower().endswith(WEIGHTS):
            raise SourceRefused(
                f"{part['path']} is no safetensors file. Only those are taken: they hold no code."
            )
        FileCheck(part["path"])
        declared = answer.headers.get("content-length", "")
        if declared.isdigit():
            total = have + int(declared)
            if part["expected"] and total != part["expected"]:
                raise SourceRefused("The source's file is not as long as the model hub says.")
            part["total_bytes"] = total
        self._room.ask(self._parts)
        self._room.require(self._parts)
        self._room.require_disk(part)

    def _copy(self, part: Part, answer: Answer, out: Any) -> None:
        """Bytes to the disk. The head of what comes first is looked at as it comes, so that rubbish ends early."""
        check = FileCheck(part["path"]) if part["bytes"] == 0 else None
        for chunk in answer.chunks():
            self._go_on()
            part["bytes"] += len(chunk)
            if part["total_bytes"] and part["bytes"] > part["total_bytes"]:
                raise SourceRefused("The source sends more than it said that the file has.")
            self._room.require(self._parts)
            if check is not None:
                check.feed(chunk)
            out.write(chunk)


def _range_start(answer: Answer) -> int:
    """The first byte that a 206 brings; -1 when it does not say."""
    unit, _, rest = answer.headers.get("content-range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else -1


def _chunks(place: Path) -> Iterator[bytes]:
    with place.open("rb") as file:
        while data := file.read(2**20):
            yield data
