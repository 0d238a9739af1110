"""What every way for mails to leave has to do, held against each of them with a real other side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from invokeai_saas.mail.adapters import MailAdapter, NotSent, open_adapter
from invokeai_saas.mail.rendering import MAIL_ID_HEADER
from invokeai_saas.settings import Settings
from tests.aws import Aws
from tests.mail.adapters.ways import (
    LOOPBACK,
    SENDER,
    a_mail,
    parsed,
    ses_server,
    smtp_server,
)


@dataclass
class Way:
    """An adapter, what its other side has, and how to take that side away."""

    adapter: MailAdapter
    arrived: Callable[[], list[EmailMessage]]
    take_away: Callable[[], None]


def _settings(**changes: object) -> Settings:
    return Settings.model_validate({"mail_from": f"InvokeAI <{SENDER}>"} | changes)


def _folder(tmp_path: Path) -> Iterator[Way]:
    folder = tmp_path / "mail"

    def take_away() -> None:
        for file in folder.glob("*"):
            file.unlink()
        if folder.exists():
            folder.rmdir()
        folder.write_text("a file in the folder's place")

    yield Way(
        open_adapter(_settings(data_dir=tmp_path)),
        lambda: [parsed(file.read_bytes()) for file in folder.glob("*.eml")],
        take_away,
    )


def _smtp(tmp_path: Path) -> Iterator[Way]:
    with smtp_server() as (inbox, port):
        adapter = open_adapter(_settings(mail_adapter="smtp", smtp_url=f"smtp+plain://{LOOPBACK}:{port}"))

        def take_away() -> None:
            adapter.close()
            adapter._port = 1  # type: ignore[attr-defined]  # where nobody listens

        yield Way(adapter, lambda: [mail for _, mail in inbox.taken], take_away)
        adapter.close()


def _ses(tmp_path: Path) -> Iterator[Way]:
    with ses_server(tmp_path / "moto.log") as url:
        adapter = open_adapter(
            _settings(
                mail_adapter="ses",
                ses_endpoint_url=url,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
            )
        )

        def arrived() -> list[EmailMessage]:
            kept = httpx.get(f"{url}/moto-api/data.json", timeout=120).json()["ses"]["RawMessage"]
            return [parsed(entry["raw_data"].encode()) for entry in kept]

        def take_away() -> None:
            Aws(url).client("sesv2").delete_email_identity(
                EmailIdentity=SENDER
            )  # SES refuses whom it does not know

        yield Way(adapter, arrived, take_away)
        adapter.close()


@pytest.fixture(params=[_folder, _smtp, _ses], ids=["folder", "smtp", "ses"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    yield from request.param(tmp_path)


def test_a_mail_arrives_whole(way: Way) -> None:
    sent = a_mail()
    way.adapter.send(sent)
    [mail] = way.arrived()
    for header in ("From", "To", "Subject", "Date", "Message-ID", MAIL_ID_HEADER, "Auto-Submitted"):
        assert str(mail[header]) == str(sent[header]), header
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and text.get_content().strip() == "Text 글"
    assert html is not None and html.get_content().strip() == "<p>HTML 글</p>"


def test_mails_follow_each_other_also_after_a_pause(way: Way) -> None:
    for _ in range(3):
        way.adapter.send(a_mail())
    way.adapter.close()
    way.adapter.send(a_mail())
    arrived = [str(mail[MAIL_ID_HEADER]) for mail in way.arrived()]
    assert len(arrived) == len(set(arrived)) == 4


def test_a_mail_that_is_sent_again_is_seen_to_be_the_same(way: Way) -> None:
    mail = a_mail()
    way.adapter.send(mail)
    way.adapter.send(mail)
    assert {str(arrived[MAIL_ID_HEADER]) for arrived in way.arrived()} == {str(mail[MAIL_ID_HEADER])}
    assert {str(arrived["Message-ID"]) for arrived in way.arrived()} == {str(mail["Message-ID"])}


def test_what_is_not_taken_is_said_and_may_be_tried_again(way: Way) -> None:
    way.take_away()
    with pytest.raises(NotSent) as caught:
        way.adapter.send(a_mail())
    assert not caught.value.final
    assert str(caught.value)
