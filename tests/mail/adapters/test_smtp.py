"""SMTP: TLS, log-in, and what a server says of addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.mail.adapters import NotSent
from invokeai_saas.mail.adapters.smtp import SmtpAdapter
from tests.mail.adapters.ways import BUSY, GONE, LOOPBACK, a_mail, certificate, smtp_server


@pytest.mark.parametrize(("address", "final"), [(GONE, True), (BUSY, False)])
def test_an_address_that_does_not_exist_is_not_tried_again(address: str, final: bool) -> None:
    with smtp_server() as (inbox, port):
        adapter = SmtpAdapter(f"smtp+plain://{LOOPBACK}:{port}")
        with pytest.raises(NotSent, match=r"no such mailbox|try again later") as caught:
            adapter.send(a_mail(address))
        assert caught.value.final is final
        adapter.send(a_mail())  # the same connection goes on
        adapter.close()
    assert [recipients for recipients, _ in inbox.taken] == [["ada@example.com"]]


def test_starttls_and_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with smtp_server(tls_context=context, auth_required=True) as (inbox, port):
        adapter = SmtpAdapter(f"smtp://saas:p%40ss%2Fword@{LOOPBACK}:{port}")
        adapter.send(a_mail())
        adapter.close()
    assert (inbox.logins, inbox.secured) == ([b"saas"], [True])


def test_a_wrong_password_is_an_operators_matter_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with smtp_server(tls_context=context, auth_required=True) as (inbox, port):
        with pytest.raises(NotSent, match="535") as caught:
            SmtpAdapter(f"smtp://saas:wrong@{LOOPBACK}:{port}").send(a_mail())
        assert not caught.value.final
    assert inbox.taken == []


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with (
        smtp_server(tls_context=context) as (inbox, port),
        pytest.raises(NotSent, match="certificate verify failed"),
    ):
        SmtpAdapter(f"smtp://{LOOPBACK}:{port}").send(a_mail())
    assert inbox.taken == []


def test_without_tls_nothing_is_sent_unless_it_was_asked_for() -> None:
    with smtp_server() as (inbox, port), pytest.raises(NotSent, match="STARTTLS"):
        SmtpAdapter(f"smtp://{LOOPBACK}:{port}").send(a_mail())
    assert inbox.taken == []


def test_a_server_that_hung_up_is_called_again() -> None:
    with smtp_server() as (inbox, port):
        adapter = SmtpAdapter(f"smtp+plain://{LOOPBACK}:{port}")
        adapter.send(a_mail())
        assert adapter._server is not None and adapter._server.sock is not None
        adapter._server.sock.close()
        adapter.send(a_mail())
        adapter.close()
    assert len(inbox.taken) == 2


@pytest.mark.parametrize(
    "url", ["", "mail.example.com", "http://mail.example.com", "smtp://host:no", "smtp://"]
)
def test_a_url_that_names_no_server_is_said_at_the_start(url: str) -> None:
    with pytest.raises(SetupError, match="SMTP_URL"):
        SmtpAdapter(url)
