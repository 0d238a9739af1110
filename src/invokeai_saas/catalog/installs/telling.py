"""What the person who installs hears of a download, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invokeai_saas.catalog.installs.claims import InstallJob
from invokeai_saas.catalog.installs.parts import Part, expected, received
from invokeai_saas.worker.events import EventStream


class Teller:
    """InvokeAI's events of an install (`model_install_...`) and of each of its files (`download_...`)."""

    def __init__(self, events: EventStream, job: InstallJob) -> None:
        self._events, self._job = events, job

    def install(self, event: str, **facts: Any) -> None:
        self._events.emit(str(self._job.user_id), f"model_install_{event}", self._job.event(**facts))

    def file(self, event: str, part: Part, **facts: Any) -> None:
        """Parameters: facts: what the event says beside the file's address."""
        self._events.emit(str(self._job.user_id), f"download_{event}", {"source": part["url"], **facts})

    def path_of(self, part: Part) -> str:
        return f"{self._job.prefix}/{part['path']}".rstrip("/")

    def began(self, parts: Sequence[Part]) -> None:
        self.install("download_started", **self._progress(parts))

    def progress(self, parts: Sequence[Part]) -> None:
        """How far the install is, and each file that is under way."""
        self.install("download_progress", **self._progress(parts))
        for part in parts:
            if part["status"] == "running":
                self.file(
                    "progress",
                    part,
                    download_path=self.path_of(part),
                    current_bytes=part["bytes"],
                    total_bytes=max(part["total_bytes"], part["bytes"]),
                )

    def _progress(self, parts: Sequence[Part]) -> dict[str, Any]:
        told = [
            {
                "url": part["url"],
                "local_path": self.path_of(part),
                "bytes": part["bytes"],
                "total_bytes": max(part["total_bytes"], part["bytes"]),
            }
            for part in parts
        ]
        return {
            "local_path": self._job.prefix,
            "bytes": received(parts),
            "total_bytes": expected(parts),
            "parts": told,
        }
