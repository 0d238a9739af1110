"""An SMTP server (RFC 5321), with TLS unless it is told otherwise."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from invokeai_saas.errors import SetupError
from invokeai_saas.mail.adapters import NotSent

_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_SECONDS = 20.0  # that the server may take for one answer
_FORMS = (
    "Set it to smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465 (TLS)"
    " or smtp+plain://host:25 (nothing, for a server on this machine)."
)


class SmtpAdapter:
    """One connection, kept while mails follow each other.

    Parameters:
        url: `smtp://user:password@host:port` demands STARTTLS, `smtps://` speaks TLS from the start, `smtp+plain://`
            none. User and password may be left out; what is special in them is percent-encoded.

    Raises:
        SetupError: this is no such URL.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SetupError(f"SMTP_URL cannot be read: {error}.", _FORMS) from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise SetupError("SMTP_URL is not set, or names no server.", _FORMS)
        self._scheme, self._host, self._port = parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
        self._login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self._server: smtplib.SMTP | None = None

    def send(self, mail: EmailMessage) -> None:
        try:
            self._connected().send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise NotSent(f"{code} {_text(said)}", final=500 <= code < 600) from error
        except smtplib.SMTPResponseException as error:
            self.close()
            raise NotSent(f"{error.smtp_code} {_text(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise NotSent(f"{type(error).__name__}: {error}") from error

    def _connected(self) -> smtplib.SMTP:
        """The connection that is open, if the server still thinks so, or a new one."""
        if self._server is not None:
            try:
                if self._server.noop()[0] == 250:
                    return self._server
            except (smtplib.SMTPException, OSError):
                pass
            self.close()
        self._server = self._open()
        return self._server

    def _open(self) -> smtplib.SMTP:
        trust = ssl.create_default_context()
        if self._scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=_SECONDS, context=trust)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=_SECONDS)
        try:
            if self._scheme == "smtp":
                server.starttls(context=trust)
            if self._login:
                server.login(*self._login)
        except BaseException:
            server.close()
            raise
        return server

    def close(self) -> None:
        """Says good-bye, if there is still somebody to say it to."""
        if self._server is None:
            return
        try:
            self._server.quit()
        except (smtplib.SMTPException, OSError):
            self._server.close()
        self._server = None


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
