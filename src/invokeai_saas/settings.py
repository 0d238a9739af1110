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
    contact_email: str = ""  # for plans whose price is agreed on; pages leave it out where unset
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # Watching. Figures are served to Prometheus where a port is set, to whoever reaches it: keep it private.
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)  # of the first process; see README
    metrics_host: str = "127.0.0.1"
    metrics_emf: bool = False  # also as log lines that CloudWatch reads figures from
    otel_exporter_otlp_endpoint: str = ""  # where traces go, by OTLP over HTTP; there are none where unset
    trace_share: float = Field(default=1.0, ge=0, le=1)  # of requests

    # PostgreSQL: one URL per role, so that no process holds more rights than it needs.
    database_url: SecretStr = SecretStr("")  # api role, writer
    database_reader_url: SecretStr | None = None  # api role, reader; the writer where unset
    database_auth_url: SecretStr = SecretStr("")  # auth role: finds a person before the tenant is known
    database_worker_url: SecretStr = SecretStr("")  # worker role
    database_billing_url: SecretStr = SecretStr("")  # billing role: the scheduler only
    database_staff_url: SecretStr = SecretStr(
        ""
    )  # staff role: pages under /admin; there are none where unset
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
    aws_endpoint_url: str | None = None  # of what is asked of AWS beside S3 and SES; unset on AWS
    media_signing_key: SecretStr = SecretStr("")  # signs the paths under /images
    cloudfront_distribution_id: str = (
        ""  # whose caches forget files that are deleted; unset: nothing caches them
    )
    media_url_seconds: int = 3600  # a signed path lives between one and two of these

    # Any value may be `aws-secret:NAME` or `aws-secret:NAME#KEY`, of AWS Secrets Manager.
    secrets_check_seconds: float = Field(
        default=300.0, ge=0
    )  # how often a changed one is looked for; 0: never

    # Identity. Our issuer writes the page's tokens, with Cognito's claims; where a user pool is named, Cognito keeps
    # people's passwords and confirms their addresses.
    issuer_key: SecretStr = SecretStr(
        ""
    )  # RS256 private key of our issuer, PEM, the same one for all API processes
    issuer_key_file: Path | None = None  # where it lies, or is made, if ISSUER_KEY is not set
    cognito_user_pool_id: str = ""
    cognito_client_id: str = "invokeai-saas-local"
    cognito_hosted_url: str = ""  # the pool's domain, https://…, if its log-in page is offered
    access_token_seconds: int = 3600
    session_days: int = 30
    identity_secret: SecretStr = SecretStr("")  # of the hashes of API keys and of addresses that had a trial
    login_attempts_per_minute: int = 10  # at an account from one address
    login_attempts_per_address: int = 30  # a minute, at all accounts: an office has one address
    login_attempts_per_account: int = 30  # a minute, from all addresses: no one address can lock a person out
    staff_log_ins_per_hour: int = 50  # at an account of our staff: six digits can be tried out
    sign_ups_per_hour: int = 30  # of an address
    # Whose X-Forwarded-For is believed: addresses and networks, comma-separated, of every hop before us (behind
    # CloudFront and a load balancer: both). Others are taken for the visitors themselves.
    trusted_proxies: str = ""
    verified_email_required: bool = False  # whether the trial begins only when the address is confirmed
    verify_link_seconds: int = 3 * 86_400
    reset_link_seconds: int = 3600
    link_mails_per_hour: int = 5  # with a link, that an account may be sent
    link_mails_per_address: int = 30  # an hour, that one address may ask for
    session_check_seconds: float = 60.0  # how often a process looks for sockets whose session has ended

    # Mail, sent by the scheduler
    mail_adapter: Literal["folder", "smtp", "ses"] = "folder"  # the folder is DATA_DIR/mail
    mail_from: str = ""  # an address, with or without a name; needed for all but the folder
    smtp_url: SecretStr = SecretStr("")  # smtp://user:password@host:587, smtps:// or smtp+plain://
    ses_endpoint_url: str | None = None  # unset on AWS
    mail_attempts: int = 12  # over some 15 hours, ever more slowly; then a mail is given up

    # The queue. Tiers whose FIFO queue is named have their workers woken by SQS; where none is, Redis wakes them.
    sqs_queue_urls: dict[str, str] = {}  # by tier; in the environment a JSON object
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 5.0
    max_attempts: int = 3
    job_seconds: float = 3600.0  # a job that runs longer is stopped, pays what it ran, keeps what it finished
    max_batch_bytes: int = 16 * MEBIBYTE  # of the values of all jobs that one enqueue_batch makes
    max_batch_jobs: int = 500  # jobs that one enqueue_batch may make
    max_pending_jobs: int = 2000  # jobs that one person may have waiting
    max_body_bytes: int = 8 * MEBIBYTE  # of any request but uploads
    max_prompt_chars: int = 20_000
    requests_per_minute: int = 300  # a person
    key_requests_per_minute: int = 200  # an API key; they count as its person's too
    pages_per_minute: int = 120  # of our own pages that ask the database, from one address
    enqueues_per_minute: int = 60

    # Videos from people's disks
    ffmpeg: Path | None = None  # the program; imageio-ffmpeg's or the PATH's where it is unset
    max_video_bytes: int = 1024 * MEBIBYTE  # as in InvokeAI
    max_video_seconds: float = 3600.0  # that it plays
    video_upload_seconds: float = 1800.0  # that an upload may take, waiting included
    video_uploads_at_once: int = (
        4  # of a process, of one person one: being looked at and stored, once received
    )

    # Files that come in lie in temporary files meanwhile
    max_spooled_bytes: int = 16 * 1024 * MEBIBYTE  # of all that one process receives
    slowest_upload: int = 65_536  # bytes a second; who sends more slowly is refused after half a minute

    # Pictures from and to people's disks
    max_upload_bytes: int = 64 * MEBIBYTE  # of one file
    max_upload_pixels: int = (
        8192 * 8192
    )  # decoded, at most 4 bytes each, and as much again while it is changed
    uploads_per_minute: int = 20  # a person
    layers_per_minute: int = 120  # a person: intermediate pictures, which the canvas uploads for each job
    max_layer_bytes: int = 8 * MEBIBYTE  # of a request with one; a longer one counts as an upload
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
    identifies_per_minute: int = 20  # new looks at models that a person may ask for
    identify_seconds: float = 60.0  # a person who asks for a new look at a model waits so long for a worker
    convert_seconds: float = (
        300.0  # and so long until a worker has made a folder of a file; it goes on after that
    )
    model_sources_on_this_machine: bool = (
        False  # for tests alone: plain HTTP, and addresses that are not public
    )
    model_cache_bytes: int = 200 * 1024 * MEBIBYTE  # of a worker's disk, for people's own models

    # Payments. On one machine without a key `up` starts a Stripe of our own, which moves no money.
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_webhook_secret: SecretStr = SecretStr("")  # signs what comes to /api/v1/saas/stripe/webhook
    stripe_api_base: str | None = None  # of the local Stripe; refused where DEPLOYMENT_MODE is saas
    payment_grace_days: float = 7.0  # a plan whose renewal was not paid goes on so long
    lapsed_days: int = 30  # without a plan: readable so long, then deleted, if two warnings have gone out

    # What people may ask about their data
    deletion_grace_days: float = Field(default=7.0, ge=0)  # a deletion can be taken back so long
    export_days: float = 3.0  # an export can be fetched so long

    # The worker
    worker_engine: Literal["invokeai", "mock"] = "invokeai"
    worker_tiers: str = "basic"  # comma-separated tiers this worker serves
    worker_ready_file: Path | None = None  # written once the engine is loaded; `workers` names one for each
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
    mock_node_seconds: float = Field(default=0.0, ge=0)

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
    """The process's settings, read once, with the values of secrets that they name.

    Raises:
        SetupError: a secret cannot be read.
    """
    from invokeai_saas.awssecrets import with_secrets

    return with_secrets(Settings())
