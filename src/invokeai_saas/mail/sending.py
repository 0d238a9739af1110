"""The scheduler's part: it takes mails that are due out of the outbox and hands them over, at least once each.

A mail in hand has a lease, like a job. Whoever dies with one in hand leaves it to be sent again, which is why it
carries an id that stays the same. What the other side does not take is tried again after longer and longer, and given
up in the end with what was said last.
"""

from __future__ import annotations

import threading

import psycopg
import structlog
from sqlalchemy import make_url

from invokeai_saas.db.standing import StandingConnection
from invokeai_saas.errors import SetupError
from invokeai_saas.identity.recovery.links import Links
from invokeai_saas.mail import rendering, repository
from invokeai_saas.mail.adapters import MailAdapter, NotSent, open_adapter
from invokeai_saas.mail.repository import ClaimedMail
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)
_LEASE = 300.0  # seconds a mail; an adapter gives up sooner
_LINKED = frozenset({"verify_email", "reset_password"})


class _AuthConnection(StandingConnection):
    """Of the auth role, which alone sees where mails go and makes their links."""

    application = "mail"


class Mailer:
    """Sends what is due, in a thread of its own: a mail server that takes its time must not keep jobs waiting.

    Raises:
        SetupError: the settings lack what sending needs.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.deployment_mode == "saas" and settings.mail_adapter == "folder":
            raise SetupError(
                "MAIL_ADAPTER is folder, which sends nothing to anybody.", "Set MAIL_ADAPTER to smtp or ses."
            )
        if settings.mail_adapter != "folder" and not settings.mail_from:
            raise SetupError("MAIL_FROM is not set.", "Set it to the address that mails come from.")
        if not settings.database_auth_url.get_secret_value():
            raise SetupError(
                "DATABASE_AUTH_URL is not set.", "Set it to the URL of the role invokeai_auth: mails need it."
            )
        url = make_url(settings.database_auth_url.get_secret_value()).set(drivername="postgresql")
        self._database = _AuthConnection(url.render_as_string(hide_password=False))
        self._settings = settings
        self._sender = settings.mail_from or "InvokeAI <no-reply@invokeai.localhost>"
        self._adapter: MailAdapter = open_adapter(settings)
        self._links = Links(settings)
        self._round: threading.Thread | None = None
        self._stopping = threading.Event()

    def begin(self) -> None:
        """Starts a round, unless the last one still runs."""
        if self._round is None or not self._round.is_alive():
            self._round = threading.Thread(target=self._run, name="mail", daemon=True)
            self._round.start()

    def _run(self) -> None:
        try:
            self.send_due()
        except psycopg.Error as error:
            log.warning("mail_not_looked_for", error=repr(error))
            self._database.close()

    def send_due(self) -> int:
        """Sends all that is due now; answers how many mails went out.

        Raises:
            psycopg.Error: the database went away. What was in hand is due again when its lease ends.
        """
        with self._database.opened() as connection:
            self._links.take_requests(connection)
        count = 0
        while not self._stopping.is_set():
            # One at a time: a lease that began while others were being sent might run out before its mail's turn.
            with self._database.opened() as connection:
                mails = repository.claim(connection, 1, _LEASE, self._settings.mail_attempts)
            if not mails:
                break
            count += self._send(mails[0])
        self._adapter.close()
        return count

    def _send(self, mail: ClaimedMail) -> bool:
        try:
            said = rendering.words(mail.kind, mail.language, mail.data, self._facts(mail))
            self._adapter.send(rendering.message(mail, said, self._sender))
        except (NotSent, rendering.Unreadable) as error:
            final = isinstance(error, rendering.Unreadable) or error.final
            final = final or mail.attempt >= self._settings.mail_attempts
            log.warning("mail_not_sent", mail=str(mail.id), kind=mail.kind, error=str(error), final=final)
            with self._database.opened() as connection:
                repository.failed(connection, mail.id, mail.attempt, str(error), final=final)
            return False
        with self._database.opened() as connection:
            repository.sent(connection, mail.id, mail.attempt)
        log.info("mail_sent", mail=str(mail.id), kind=mail.kind, tenant=str(mail.user_id))
        return True

    def _facts(self, mail: ClaimedMail) -> dict[str, object]:
        facts: dict[str, object] = {
            "site": self._settings.public_url.rstrip("/"),
            "name": mail.name if mail.verified and mail.kind not in _LINKED else None,
        }
        if mail.kind in _LINKED:
            with self._database.opened() as connection:
                link = self._links.make(connection, mail.user_id, mail.kind, mail.email, mail.language)
            facts |= {"link": link.url, "hours": max(1, round(link.seconds / 3600))}
        return facts

    def close(self) -> None:
        """Lets the mail in hand go out and ends."""
        self._stopping.set()
        if self._round is not None:
            self._round.join(timeout=30)
        self._adapter.close()
        self._database.close()
