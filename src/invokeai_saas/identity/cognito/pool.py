"""The user pool's operations. All but one need no rights of ours but a client id: anybody's browser could ask them.

Passwords reach Cognito by USER_PASSWORD_AUTH over TLS. SRP would keep them from whoever speaks to Cognito; that is us,
and InvokeAI's page has given them to us already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import structlog

from invokeai_saas.aws import aws_client, aws_errors
from invokeai_saas.errors import (
    Conflict,
    InvalidInput,
    RateLimited,
    ServiceError,
    Unauthenticated,
    Unavailable,
)
from invokeai_saas.identity.credentials import Address
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)

MORE_IS_ASKED = "challenge_not_served"  # code of a log-in whose password was right, and not enough
_THREADS = 8
_RETRY_SECONDS = 30  # Cognito does not say how long its limits last
_WRONG = {"NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException"}
_BAD_CODE = {
    "CodeMismatchException",
    "ExpiredCodeException",
    "UserNotFoundException",
    "NotAuthorizedException",
}
# The first also says that the client may not do this at all, which is an operator's matter.
_UNFIT = {"InvalidParameterException", "ParamValidationError"}
_NO_BLANKS = "Choose another password: one without blanks."
_BUSY = {"TooManyRequestsException", "LimitExceededException", "TooManyFailedAttemptsException"}


class Tokens(NamedTuple):
    """What a log-in brings. Neither has been verified yet."""

    access: str
    identity: str


class Refused(Exception):
    """Cognito's refusal, by its own name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message

    @property
    def unfit(self) -> bool:
        """Whether what was given has not the form that Cognito takes, by its own judgement or its library's."""
        return self.code in _UNFIT and "validation" in self.message.lower()


class UserPool:
    """The settings' user pool and client. Its threads are its own: a slow Cognito takes them from nobody else."""

    def __init__(self, settings: Settings) -> None:
        self._client = aws_client("cognito-idp", settings)
        self._client_id, self._pool_id = settings.cognito_client_id, settings.cognito_user_pool_id
        self._errors = aws_errors()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cognito")

    async def sign_up(self, email: str, password: str, name: str) -> str:
        """Answers the new person's sub; Cognito mails them a code.

        Raises:
            Conflict: code `email_taken`.
            InvalidInput: the pool wants another password.
        """
        attributes = [{"Name": "email", "Value": email}, {"Name": "name", "Value": name}]
        try:
            answer = await self._ask(
                self._client.sign_up, Username=email, Password=password, UserAttributes=attributes
            )
        except Refused as refused:
            raise _of_new_password(refused) from refused
        return str(answer["UserSub"])

    async def confirm(self, email: str, code: str) -> bool:
        """Confirms an address; false for a code that is not good."""
        try:
            await self._ask(self._client.confirm_sign_up, Username=email, ConfirmationCode=code)
        except Refused as refused:
            return _code_refused(refused)
        return True

    async def send_code(self, email: str) -> None:
        """Another code to confirm an address with. Says nothing about whether there is somebody to send it to."""
        await self._quietly(self._client.resend_confirmation_code, email)

    async def forgot(self, email: str) -> None:
        """A code to choose a new password with. Says as little."""
        await self._quietly(self._client.forgot_password, email)

    async def reset(self, email: str, code: str, password: str) -> bool:
        """Sets a new password; false for a code that is not good. Raises InvalidInput for a password that is not."""
        try:
            await self._ask(
                self._client.confirm_forgot_password,
                Username=email,
                ConfirmationCode=code,
                Password=password,
            )
        except Refused as refused:
            if refused.code == "InvalidPasswordException":
                raise InvalidInput(("new_password",), refused.message) from refused
            if refused.unfit and "password" in refused.message.lower():
                raise InvalidInput(("new_password",), _NO_BLANKS) from refused
            return _code_refused(refused)
        return True

    async def log_in(self, email: str, password: str) -> Tokens | None:
        """The log-in's tokens; None for a wrong address and a wrong password alike.

        Raises:
            Unauthenticated: the address has to be confirmed first, or a second factor is asked for.
        """
        try:
            answer = await self._ask(
                self._client.initiate_auth,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": email, "PASSWORD": password},
            )
        except Refused as refused:
            if refused.code in _WRONG or refused.unfit:
                return None
            if refused.code == "UserNotConfirmedException":
                raise Unauthenticated(
                    "Confirm your address first, with the code that we have sent you.",
                    code="email_unconfirmed",
                ) from refused
            raise _unforeseen(refused) from refused
        if "AuthenticationResult" not in answer:
            log.warning("challenge_not_served", challenge=answer.get("ChallengeName"))
            raise Unauthenticated("This account asks for more than a password.", code=MORE_IS_ASKED)
        result = answer["AuthenticationResult"]
        return Tokens(str(result["AccessToken"]), str(result["IdToken"]))

    async def address(self, sub: str) -> Address | None:
        """Somebody's address now; None where the pool has nobody of this name. The role of the process may ask."""
        try:
            answer = await self._person(sub)
        except Refused as refused:
            if refused.code == "UserNotFoundException":
                return None
            raise _unforeseen(refused) from refused
        known = {entry["Name"]: entry["Value"] for entry in answer["UserAttributes"]}
        email, verified = str(known.get("email", "")).lower(), known.get("email_verified") == "true"
        return Address(email, verified, barred=not answer["Enabled"])

    async def sub(self, email: str) -> str | None:
        """The name of who has this address in the pool; None where nobody has, or it cannot be asked."""
        try:
            answer = await self._person(email)
        except (Refused, ServiceError) as error:
            log.warning("sub_not_found", error=type(error).__name__)
            return None
        return next(
            (str(entry["Value"]) for entry in answer["UserAttributes"] if entry["Name"] == "sub"), None
        )

    async def _person(self, username: str) -> Mapping[str, Any]:
        """What the pool knows of somebody, by their name there or their address. Raises as `_ask`."""
        operation = self._client.admin_get_user
        return await self._ask(operation, with_client=False, UserPoolId=self._pool_id, Username=username)

    async def change_password(self, token: str, old: str, new: str) -> None:
        """Raises InvalidInput for a password that the pool does not take."""
        try:
            await self._ask(
                self._client.change_password,
                with_client=False,
                AccessToken=token,
                PreviousPassword=old,
                ProposedPassword=new,
            )
        except Refused as refused:
            raise _of_new_password(refused) from refused

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _quietly(self, operation: Callable[..., Any], email: str) -> None:
        try:
            await self._ask(operation, Username=email)
        except Refused as refused:
            log.info("code_not_sent", code=refused.code)

    async def _ask(
        self, operation: Callable[..., Mapping[str, Any]], *, with_client: bool = True, **values: Any
    ) -> Mapping[str, Any]:
        """Raises Refused, RateLimited, or Unavailable when Cognito cannot be reached or is out of order."""
        if with_client:
            values["ClientId"] = self._client_id
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(operation, **values))
        except self._errors as error:
            response: Mapping[str, Any] = getattr(error, "response", None) or {}
            said = response.get("Error", {})
            code, status = (
                str(said.get("Code", "")),
                response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
            )
            if type(error).__name__ in _UNFIT:
                raise Refused(type(error).__name__, str(error)) from error
            if code in _BUSY:
                raise RateLimited(_RETRY_SECONDS) from error
            if not code or status is None or status >= 500:
                log.warning("cognito_away", error=type(error).__name__, code=code)
                raise Unavailable("Log-ins cannot be checked right now. Please try again.") from error
            raise Refused(code, str(said.get("Message", ""))) from error


def _of_new_password(refused: Refused) -> ServiceError:
    if refused.code == "UsernameExistsException":
        return Conflict("There is an account with this address. Log in instead.", code="email_taken")
    if refused.code == "InvalidPasswordException":
        return InvalidInput(("password",), refused.message)
    if refused.unfit and "password" in refused.message.lower():
        return InvalidInput(("password",), _NO_BLANKS)
    if refused.unfit:
        return InvalidInput(("email",), "This address cannot be used. Choose another one.")
    return _unforeseen(refused)


def _code_refused(refused: Refused) -> bool:
    if refused.code in _BAD_CODE or refused.unfit:
        return False
    raise _unforeseen(refused) from refused


def _unforeseen(refused: Refused) -> ServiceError:
    """The pool is not what the settings say, or takes no such input: an operator's matter, which the log tells."""
    log.error("cognito_refused", code=refused.code, message=refused.message)
    return Unavailable("Log-ins cannot be checked right now. Please try again.", retry_after=_RETRY_SECONDS)
