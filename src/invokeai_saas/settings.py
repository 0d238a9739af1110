"""All configuration, in one typed class read from environment variables.

The same code runs on one machine and on AWS: what differs is which adapter these settings choose.
`invokeai-saas up` starts embedded servers and fills in their addresses for the processes it starts;
anywhere else the environment names them.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


def _installed(*parts: str) -> Path:
    """A file that `make install` derives and keeps inside the virtual environment."""
    return Path(sys.prefix, "share", "invokeai-saas", *parts)


class Settings(BaseSettings):
    """Names are the environment variables' names in lower case; units stand in the comments."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    deployment_mode: Literal["local", "saas"] = "local"
    data_dir: Path = Path("data")  # embedded servers, keys, mail and logs of one machine
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"  # what people type; scheme decides whether cookies are Secure
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # PostgreSQL: one URL per role, so that no process holds more rights than it needs.
    database_url: SecretStr = SecretStr("")  # api role, writer
    database_reader_url: SecretStr | None = None  # api role, reader; the writer where unset
    database_auth_url: SecretStr = SecretStr("")  # auth role: finds a person before the tenant is known
    database_worker_url: SecretStr = SecretStr("")  # worker role
    database_owner_url: SecretStr = SecretStr("")  # owner role: migrations only
    writer_pool_size: int = 20
    writer_pool_overflow: int = 10
    reader_pool_size: int = 30
    reader_pool_overflow: int = 15
    pool_timeout: float = 30.0  # seconds
    pool_recycle: int = 1800  # seconds

    redis_url: SecretStr = SecretStr("")

    s3_bucket: str = "invokeai-local"
    s3_endpoint_url: str | None = None  # unset on AWS
    aws_region: str = "ap-northeast-2"
    aws_access_key_id: SecretStr | None = None  # unset on AWS: the task role serves
    aws_secret_access_key: SecretStr | None = None
    media_signing_key: SecretStr = SecretStr("")  # signs the paths under /images
    media_url_seconds: int = 3600  # a signed path lives between one and two of these

    # Identity. The embedded issuer writes tokens with Cognito's claims.
    issuer_key_file: Path | None = None  # RS256 private key of the embedded issuer, PEM
    cognito_client_id: str = "invokeai-saas-local"
    access_token_seconds: int = 3600
    session_days: int = 30
    login_attempts_per_minute: int = 10  # at an account from one address
    login_attempts_per_address: int = 30  # a minute, at all accounts: an office has one address
    login_attempts_per_account: int = 30  # a minute, from all addresses: no one address can lock a person out
    sign_ups_per_hour: int = 30  # of an address
    # Whose X-Forwarded-For is believed: addresses and networks, comma-separated, of every hop before us (behind
    # CloudFront and a load balancer: both). Others are taken for the visitors themselves.
    trusted_proxies: str = ""
    session_check_seconds: float = 60.0  # how often a process looks for sockets whose session has ended

    # The queue
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 5.0
    max_attempts: int = 3
    job_seconds: float = 3600.0  # a job that runs longer is stopped, and pays what it ran
    max_batch_bytes: int = 16 * MEBIBYTE  # of the values of all jobs that one enqueue_batch makes
    max_batch_jobs: int = 500  # jobs that one enqueue_batch may make
    max_pending_jobs: int = 2000  # jobs that one person may have waiting
    max_body_bytes: int = 8 * MEBIBYTE  # of any request but uploads
    max_prompt_chars: int = 20_000
    requests_per_minute: int = 300  # a person
    enqueues_per_minute: int = 60

    # Videos from people's disks
    max_video_bytes: int = 1024 * MEBIBYTE  # as in InvokeAI
    max_video_seconds: float = 3600.0  # that it plays
    video_upload_seconds: float = 1800.0  # that receiving one may take, waiting included
    video_uploads_at_once: int = 4  # of a process, of one person one; each lies in a temporary file meanwhile

    # Pictures from and to people's disks
    max_upload_bytes: int = 64 * MEBIBYTE  # of one file
    max_upload_pixels: int = (
        8192 * 8192
    )  # decoded, at most 4 bytes each, and as much again while it is changed
    uploads_per_minute: int = 20  # a person
    upload_seconds: float = 300.0  # that receiving one may take
    decodes_at_once: int = 2  # of a process: pictures being decoded, of one person one
    download_seconds: int = 86_400  # a download of many pictures is kept so long once it is ready
    max_download_bytes: int = 32 * 1024 * MEBIBYTE  # of the pictures in one
    max_downloads: int = 5  # that one person may have being prepared, and as many kept
    downloads_at_once: int = 2  # of a process: being written, of one person one
    orphan_seconds: int = 86_400  # a file that no row names is deleted when it is older

    # Models that people install
    model_hosts: str = "huggingface.co,civitai.com"  # whose files may be installed, subdomains included
    model_hub_url: str = "https://huggingface.co"  # where repositories (owner/name) lie
    max_model_bytes: int = 40 * 1024 * MEBIBYTE  # of all files of one model
    model_downloads: int = 2  # at a time, of one scheduler
    model_download_seconds: float = 4 * 3600.0  # one install may take to download
    max_model_installs: int = 20  # that one person may have under way
    identify_seconds: float = 60.0  # a person who asks for a new look at a model waits so long for a worker
    model_sources_on_this_machine: bool = (
        False  # for tests alone: plain HTTP, and addresses that are not public
    )
    model_cache_bytes: int = 200 * 1024 * MEBIBYTE  # of a worker's disk, for people's own models

    # The worker
    worker_engine: Literal["invokeai", "mock"] = "invokeai"
    worker_tiers: str = "basic"  # comma-separated tiers this worker serves
    model_dir: Path = Path("models")
    stop_grace_seconds: float = (
        60.0  # an engine that was asked to stop has so long; then its process is killed
    )
    hang_seconds: float = 60.0  # silence of the heartbeat's thread after which the process is killed
    drain_seconds: float = (
        90.0  # a running job may finish in this time before it is handed back (spot notice: 120)
    )
    engine_python: Path = Path(sys.prefix).parent / ".venv-engine" / "bin" / "python"
    mock_step_seconds: float = Field(default=0.02, ge=0)

    # Derived at install time
    page_dir: Path = _installed("page")
    node_schemas: Path = _installed("nodes.json")
    library_dir: Path = _installed("library")  # workflows, presets and prompts that InvokeAI ships

    @property
    def reader_apart(self) -> bool:
        """Whether there is a reader that may lag behind the writer."""
        return self.database_reader_url not in (None, self.database_url)

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers reach us by https."""
        return self.public_url.startswith("https://")


@cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
