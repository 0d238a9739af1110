"""The wire of InvokeAI's `auth` routes, and of our own sign-up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, Field

from invokeai_saas.languages import Language


def keepable(value: str) -> str:
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("Text must be made of whole Unicode characters other than NUL.")
    return value


def _normalized(value: str) -> str:
    return validate_email(value, check_deliverability=False, test_environment=True).normalized.lower()


def _email(value: str) -> str:
    try:
        return _normalized(value)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error


def _any_email(value: str) -> str:
    """As sign-up wrote it down; what is no address at all stays as it is, and belongs to nobody."""
    try:
        return _normalized(value)
    except EmailNotValidError:
        return value.strip().lower()


# Text that the database can hold and a hash can take: no NUL, no half characters.
Text = Annotated[str, AfterValidator(keepable)]
Email = Annotated[Text, Field(max_length=255), AfterValidator(_email)]
EmailOfLogin = Annotated[Text, Field(max_length=255), AfterValidator(_any_email)]
Password = Annotated[Text, Field(max_length=256)]
DisplayName = Annotated[Text, Field(max_length=100)]


class UserDTO(BaseModel):
    """A person as InvokeAI's page knows them. `is_admin` is false for all: staff act in pages of our own."""

    user_id: str
    email: str
    display_name: str | None
    is_admin: bool = False
    is_active: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    token_epoch: int = 0


class LoginRequest(BaseModel):
    email: EmailOfLogin
    password: Password
    remember_me: bool = False


class LoginResponse(BaseModel):
    token: str
    user: UserDTO
    expires_in: int  # seconds


class SignUpRequest(BaseModel):
    email: Email
    password: Password
    display_name: DisplayName | None = None
    language: Language | None = None  # of mails; what the browser asks for where it is left out


Trial = Literal["begun", "waits", "none"]


class SignUpResponse(LoginResponse):
    """A new account.

    Parameters:
        trial: `waits` for the address to be confirmed; `none` where this address, perhaps in another spelling, has had
            its trial, or none is on offer.
    """

    trial: Trial


class RefreshResponse(BaseModel):
    token: str
    expires_in: int  # seconds


class LogoutResponse(BaseModel):
    """Parameters: next: where a log-in at the identity provider ends, if there is one."""

    success: bool = True
    next: str | None = None


class MediaCookieResponse(BaseModel):
    success: bool = True


class SetupStatusResponse(BaseModel):
    """What the page asks before log-in. An installation of ours never needs InvokeAI's own set-up."""

    setup_required: bool = False
    multiuser_enabled: bool = True
    strict_password_checking: bool = True
    admin_email: str | None = None


class ProfileUpdate(BaseModel):
    """InvokeAI's UserProfileUpdateRequest."""

    display_name: DisplayName | None = None
    current_password: Password | None = None
    new_password: Password | None = None


class GeneratedPassword(BaseModel):
    password: str
