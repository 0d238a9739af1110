"""What mails there are, and what each has to be told: the `data` of a row of the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Kind = Literal[
    "welcome",
    "verify_email",
    "reset_password",
    "password_changed",
    "key_made",
    "trial_ending",
    "receipt",
    "payment_failed",
    "low_credits",
    "tester_granted",
    "deletion_warning",
    "export_ready",
    "deletion_requested",
    "account_deleted",
]


class MailData(BaseModel):
    """Base of them all. A field too many is a mistake of the caller's."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Welcome(MailData):
    """Parameters: trial_ends, credits: of the trial that the account started with, if it did."""

    trial_ends: AwareDatetime | None = None
    credits: int | None = None


class Nothing(MailData):
    """Links are made when the mail is sent, so that no row ever holds one."""


class PasswordChanged(MailData):
    changed_at: AwareDatetime


class KeyMade(MailData):
    """Parameters: key: the name that its person gave it; prefix: how it begins, which is all that is shown of it."""

    key: str = Field(max_length=100)
    prefix: str = Field(max_length=8)
    made_at: AwareDatetime


class TrialEnding(MailData):
    """Parameters: credits: what is left of them."""

    ends_at: AwareDatetime
    credits: int


class Amount(MailData):
    """Money in the currency's smallest unit, as Stripe counts it. Parameters: currency: ISO 4217, either case."""

    amount: int = Field(ge=0)
    currency: str = Field(default="usd", min_length=3, max_length=3)


class Receipt(Amount):
    """Parameters: what: what was bought, in a few words; credits: how many came with it; url: the invoice's page."""

    what: str = Field(max_length=200)
    paid_at: AwareDatetime
    number: str | None = Field(default=None, max_length=100)
    credits: int | None = None
    url: str | None = Field(default=None, pattern=r"^https?://", max_length=2000)


class PaymentFailed(Amount):
    """Parameters: plan: its name; ends_at: when it ends if nothing is paid; url: where to pay, else the account."""

    plan: str = Field(max_length=50)
    ends_at: AwareDatetime | None = None
    url: str | None = Field(default=None, pattern=r"^https?://", max_length=2000)


class LowCredits(MailData):
    available: int


class TesterGranted(MailData):
    credits: int | None = None
    ends_at: AwareDatetime | None = None


class DeletionWarning(MailData):
    delete_at: AwareDatetime


class ExportReady(MailData):
    """Parameters: bytes: of the archive."""

    expires_at: AwareDatetime
    bytes: int = Field(ge=0)


class DeletionRequested(MailData):
    delete_at: AwareDatetime


class AccountDeleted(MailData):
    """Parameters: proof: its id; files, bytes, records: what was deleted; stripe: Stripe's confirmation, for who was a
    customer; hash: SHA-256 of the proof, as hexadecimal digits.
    """

    proof: UUID
    files: int
    bytes: int
    records: int
    hash: str
    stripe: str | None = None


KINDS: Mapping[Kind, type[MailData]] = {
    "welcome": Welcome,
    "verify_email": Nothing,
    "reset_password": Nothing,
    "password_changed": PasswordChanged,
    "key_made": KeyMade,
    "trial_ending": TrialEnding,
    "receipt": Receipt,
    "payment_failed": PaymentFailed,
    "low_credits": LowCredits,
    "tester_granted": TesterGranted,
    "deletion_warning": DeletionWarning,
    "export_ready": ExportReady,
    "deletion_requested": DeletionRequested,
    "account_deleted": AccountDeleted,
}


class ListedMail(BaseModel):
    """A mail as operators see it."""

    model_config = ConfigDict(frozen=True)

    id: str
    email: str
    kind: str
    state: str
    attempts: int
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    error: str | None
