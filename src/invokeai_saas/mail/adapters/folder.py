"""A folder that takes each mail as an .eml file, which mail programs open: for one machine, where nobody sends mail."""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path

from invokeai_saas.mail.adapters import NotSent
from invokeai_saas.mail.rendering import MAIL_ID_HEADER


class FolderAdapter:
    """Files are named by the mail's id: one that is sent again takes its own place.

    Parameters:
        folder: made when it is first needed. Its files can log people in, so only their owner reads them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, mail: EmailMessage) -> None:
        target = self._folder / f"{mail[MAIL_ID_HEADER]}.eml"
        draft = target.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(mail.as_bytes())
            draft.replace(target)
        except OSError as error:
            raise NotSent(f"{self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """There is nothing to let go of."""
