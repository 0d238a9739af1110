"""The wire of InvokeAI's `auth` routes, and of our own sign-up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, Field


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error


Email = Annotated[str, Field(max_length=255), AfterValidator(_email)]


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
    email: str = Field(max_length=255)
    password: str = Field(max_length=256)
    remember_me: bool = False


class LoginResponse(BaseModel):
    token: str
    user: UserDTO
    expires_in: int  # seconds


class SignUpRequest(BaseModel):
    email: Email
    password: str = Field(max_length=256)
    display_name: str | None = Field(default=None, max_length=100)


class RefreshResponse(BaseModel):
    token: str
    expires_in: int  # seconds


class LogoutResponse(BaseModel):
    success: bool = True


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

    display_name: str | None = Field(default=None, max_length=100)
    current_password: str | None = Field(default=None, max_length=256)
    new_password: str | None = Field(default=None, max_length=256)


class GeneratedPassword(BaseModel):
    password: str
