"""The wire of InvokeAI's model installs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AnyHttpUrl, BaseModel

InstallStatus = Literal[
    "waiting", "downloading", "downloads_done", "running", "paused", "completed", "error", "cancelled"
]
PartStatus = Literal["waiting", "running", "paused", "completed", "cancelled", "error"]
# Installs are numbered at random: a number shall not tell how many others there are. JavaScript must hold it.
MAX_ID = 2**53 - 1


class DownloadPart(BaseModel):
    """InvokeAI's DownloadJob: one file. Paths are logical ones; bytes of a length that is not known yet are 0."""

    id: int
    dest: str
    download_path: str | None
    status: PartStatus
    bytes: int
    total_bytes: int
    error_type: str | None = None
    error: str | None = None
    source: str
    access_token: None = None
    priority: int = 10
    job_started: str | None = None
    job_ended: str | None = None
    content_type: str | None = None
    canonical_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    final_url: str | None = None
    expected_total_bytes: int | None = None
    resume_required: bool = False
    resume_message: str | None = None
    resume_from_scratch: bool = False


class InstallJobDTO(BaseModel):
    """InvokeAI's ModelInstallJob."""

    id: int
    status: InstallStatus
    error_reason: str | None
    config_in: dict[str, Any]
    config_out: dict[str, Any] | None
    inplace: bool = False
    source: dict[str, Any]
    local_path: str
    bytes: int
    total_bytes: int
    source_metadata: None = None
    download_parts: list[DownloadPart]
    error: str | None
    error_traceback: None = None


class HubModels(BaseModel):
    """What a repository of the model hub has: single files by address, or one model in folders."""

    urls: list[AnyHttpUrl] | None
    is_diffusers: bool
