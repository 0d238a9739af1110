"""Amazon SES, version 2 of its API (SendEmail, raw content). It writes a Message-ID of its own; our header stays."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

from invokeai_saas.errors import SetupError
from invokeai_saas.mail.adapters import NotSent
from invokeai_saas.settings import Settings

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as error:
    raise SetupError(
        "MAIL_ADAPTER is ses, and the library for it is not installed.", "Install invokeai-saas[aws]."
    ) from error

_SECONDS = 20.0
# What SES calls a mail whose address is none. (Whether one exists it says later, to whoever watches bounces.)
_INVALID = "BadRequestException"


class SesAdapter:
    """SES in the settings' region, as the role of the process where no keys are given.

    SES is asked once a call: the outbox tries again, and knows how often it did.
    """

    def __init__(self, settings: Settings) -> None:
        keys = (settings.aws_access_key_id, settings.aws_secret_access_key)
        given: dict[str, Any] = {}
        if keys[0] and keys[1]:
            given = {
                "aws_access_key_id": keys[0].get_secret_value(),
                "aws_secret_access_key": keys[1].get_secret_value(),
            }
        self._client = boto3.client(
            "sesv2",
            region_name=settings.aws_region,
            endpoint_url=settings.ses_endpoint_url,
            config=Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1}),
            **given,
        )

    def send(self, mail: EmailMessage) -> None:
        recipient = mail["To"].addresses[0].addr_spec
        try:
            self._client.send_email(
                FromEmailAddress=str(mail["From"]),
                Destination={"ToAddresses": [recipient]},
                Content={"Raw": {"Data": mail.as_bytes()}},
            )
        except ClientError as error:
            said = error.response.get("Error", {})
            code = said.get("Code")
            raise NotSent(f"{code}: {said.get('Message')}", final=code == _INVALID) from error
        except BotoCoreError as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._client.close()
