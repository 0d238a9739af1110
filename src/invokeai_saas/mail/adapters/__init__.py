"""Ways for mails to leave: a folder, an SMTP server, Amazon SES. One interface, one suite of tests for all of them."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol

from invokeai_saas.settings import Settings


class NotSent(Exception):
    """The mail has not been taken.

    Parameters:
        reason: what the other side said, for operators.
        final: the other side will never take it, however often it is tried: the address does not exist.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class MailAdapter(Protocol):
    """Takes mails one at a time, from one thread."""

    def send(self, mail: EmailMessage) -> None:
        """Hands a mail over; when this returns, the other side has it.

        Raises:
            NotSent: it has not, as far as we know: it may be sent again.
        """

    def close(self) -> None:
        """Lets go of connections; sending opens them again."""


def open_adapter(settings: Settings) -> MailAdapter:
    """The way that MAIL_ADAPTER chooses.

    Raises:
        SetupError: what it needs is not set.
    """
    # Each is imported when it is chosen: one machine needs no library of AWS's.
    if settings.mail_adapter == "smtp":
        from invokeai_saas.mail.adapters.smtp import SmtpAdapter

        return SmtpAdapter(settings.smtp_url.get_secret_value())
    if settings.mail_adapter == "ses":
        from invokeai_saas.mail.adapters.ses import SesAdapter

        return SesAdapter(settings)
    from invokeai_saas.mail.adapters.folder import FolderAdapter

    return FolderAdapter(settings.data_dir / "mail")
