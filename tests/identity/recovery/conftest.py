"""A mailer and the folder it writes to."""

from tests.mail.conftest import box, mailer

__all__ = ["box", "mailer"]
