"""Clients of AWS's own library, boto3, which the extra `aws` installs. They block: threads call them, not the loop."""

from __future__ import annotations

from typing import Any

from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings


def aws_client(
    service: str, settings: Settings, *, endpoint_url: str | None = None, seconds: float = 5.0, tries: int = 2
) -> Any:
    """A client in the settings' region, as the role of the process where no keys are given.

    Clients may be shared by threads. Nothing is asked of AWS yet.

    Parameters:
        endpoint_url: AWS_ENDPOINT_URL where unset, and AWS itself where that is unset too.
        seconds: that connecting, and that an answer, may take.
        tries: of one call, the first included.

    Raises:
        SetupError: the library is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise SetupError(
            f"The settings name AWS ({service}), and the library for it is not installed.",
            "Install invokeai-saas[aws].",
        ) from error
    keys = (settings.aws_access_key_id, settings.aws_secret_access_key)
    given: dict[str, Any] = {}
    if keys[0] and keys[1]:
        given = {
            "aws_access_key_id": keys[0].get_secret_value(),
            "aws_secret_access_key": keys[1].get_secret_value(),
        }
    return boto3.client(
        service,
        region_name=settings.aws_region,
        endpoint_url=endpoint_url or settings.aws_endpoint_url,
        config=Config(
            connect_timeout=min(seconds, 5.0), read_timeout=seconds, retries={"total_max_attempts": tries}
        ),
        **given,
    )


def aws_errors() -> tuple[type[Exception], ...]:
    """What boto3 raises when AWS refuses or cannot be reached."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


def aws_code(error: Exception) -> str:
    """How AWS calls an error of `aws_errors`; the class of one that comes from the library alone."""
    # Errors of connections have a `response` too, which is None.
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code") or type(error).__name__)
