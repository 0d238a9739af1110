"""The other sides of the adapters: a folder, an SMTP server on a real port, and a server that speaks SES."""

from __future__ import annotations

import email
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.mail.rendering import Words, message
from tests.aws import aws_server
from tests.mail.claimed import claimed

LOOPBACK = "127.0.0.1"
SENDER = "post@invokeai.example"
GONE = "gone@example.com"  # an address that the other side refuses for good
BUSY = "busy@example.com"  # one that it asks to try again
LOGIN = ("saas", "p@ss/word")


def parsed(content: bytes) -> EmailMessage:
    """A mail as the other side reads it."""
    return email.message_from_bytes(content, policy=default)


@dataclass
class Inbox:
    """What an SMTP server has taken."""

    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address == GONE:
            return "550 5.1.1 no such mailbox"
        if address == BUSY:
            return "450 4.2.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.taken.append((envelope.rcpt_tos, parsed(envelope.content)))
        self.secured.append(session.ssl is not None)
        return "250 OK"

    def log_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        given = cast(LoginPassword, data)
        self.logins.append(given.login)
        fits = (given.login.decode(), given.password.decode()) == LOGIN
        return AuthResult(success=fits, handled=False)


@contextmanager
def smtp_server(**options: Any) -> Iterator[tuple[Inbox, int]]:
    """A server on a free port."""
    inbox = Inbox()
    controller = Controller(
        inbox, hostname=LOOPBACK, port=free_port(), authenticator=inbox.log_in, ready_timeout=120, **options
    )
    controller.start()
    try:
        yield inbox, controller.port
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS with a certificate of its own for loopback, and the file that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of the suite")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "mail.crt", folder / "mail.key"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted


@contextmanager
def ses_server(log: Path) -> Iterator[str]:
    """A server with the sender's address verified; answers its URL."""
    with aws_server(log) as aws:
        aws.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        yield aws.url


def a_mail(recipient: str = "ada@example.com", subject: str = "안녕하세요, Ada") -> EmailMessage:
    """A mail as `mail.rendering` makes them."""
    mail = claimed(id=uuid4(), email=recipient)
    return message(mail, Words(subject, "Text 글\n", "<p>HTML 글</p>"), f"InvokeAI <{SENDER}>")
