"""The wire of e-mail verification, password reset, and what mails need to know of a person."""

from __future__ import annotations

from pydantic import BaseModel, Field

from invokeai_saas.identity.schemas import EmailOfLogin, Password, Text
from invokeai_saas.languages import Language


class ForgotPassword(BaseModel):
    email: EmailOfLogin


class LinkSecret(BaseModel):
    """Parameters: token: what stands behind the # of the link, or the code; email: with a code, where it was sent."""

    token: Text = Field(max_length=200)
    email: EmailOfLogin | None = None


class ResetPassword(LinkSecret):
    new_password: Password


class Done(BaseModel):
    success: bool = True


class Contact(BaseModel):
    """How we write to a person. Parameters: trial_waits: their trial begins when the address is confirmed."""

    email: str
    email_verified: bool
    language: Language
    trial_waits: bool


class ChosenLanguage(BaseModel):
    language: Language
