"""What the user pool has to do for a person who goes: delete them, and say so."""

from __future__ import annotations

from typing import Any

import structlog

from invokeai_saas.aws import aws_client, aws_errors
from invokeai_saas.errors import Unavailable
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)
_NOBODY = "UserNotFoundException"


class PoolSide:
    """The settings' user pool, if people's passwords lie in one.

    Raises:
        SetupError: the library for it is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self._pool = settings.cognito_user_pool_id
        self._client = aws_client("cognito-idp", settings) if self._pool else None

    def forget(self, sub: str) -> str | None:
        """Deletes whom the pool calls `sub`, and has it confirm that there is nobody of this name.

        A name and not an address: that may be somebody else's there by now. None where there is no pool; else the
        number of the request that said so.

        Raises:
            Unavailable: the pool cannot be asked, is not there, or still has the person.
        """
        if self._client is None:
            return None
        self._answer(self._client.admin_delete_user, sub)
        gone, confirmation = self._answer(self._client.admin_get_user, sub)
        if not gone:
            raise Unavailable("The user pool has the person still.")
        return confirmation

    def _answer(self, operation: Any, sub: str) -> tuple[bool, str]:
        """Whether the pool has nobody of this name, and the number of the request."""
        try:
            answer = operation(UserPoolId=self._pool, Username=sub)
        except aws_errors() as error:
            answer = getattr(error, "response", {})
            code = str(answer.get("Error", {}).get("Code", ""))
            if code != _NOBODY:
                log.warning("pool_refused", code=code, error=type(error).__name__)
                raise Unavailable("The user pool cannot be asked right now.") from error
            return True, _number(answer)
        return False, _number(answer)


def _number(answer: Any) -> str:
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
