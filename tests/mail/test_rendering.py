"""Every mail in both languages: both parts say the same, and nothing that a person wrote gets out of its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from invokeai_saas.languages import LANGUAGES
from invokeai_saas.mail import rendering
from invokeai_saas.mail.rendering import Unreadable, message, money, words
from invokeai_saas.mail.schemas import KINDS, Kind
from tests.mail.claimed import claimed

WHEN = "2026-11-27T23:00:00+00:00"
DATA: dict[Kind, dict[str, Any]] = {
    "welcome": {"trial_ends": WHEN, "credits": 500},
    "verify_email": {},
    "reset_password": {},
    "password_changed": {"changed_at": WHEN},
    "key_made": {"key": "My script", "prefix": "isk_Ab3d", "made_at": WHEN},
    "trial_ending": {"ends_at": WHEN, "credits": 120},
    "receipt": {"amount": 2500, "currency": "usd", "what": "Starter, one month", "paid_at": WHEN,
                "number": "IN-7", "credits": 5000, "url": "https://pay.example.com/i?a=1&b=2"},
    "payment_failed": {"amount": 7500, "plan": "Pro", "ends_at": WHEN},
    "low_credits": {"available": 7},
    "tester_granted": {"credits": 50000, "ends_at": WHEN},
    "deletion_warning": {"delete_at": WHEN},
    "export_ready": {"expires_at": WHEN, "bytes": 1_500_000_000},
    "deletion_requested": {"delete_at": WHEN},
    "account_deleted": {"proof": "6f1a2c00-0000-4000-8000-000000000000", "files": 1234, "bytes": 999,
                        "records": 56789, "hash": "ab" * 32, "stripe": "req_1"},
}  # fmt: skip
# What each has to say, in whatever language.
SAYS: dict[Kind, list[str]] = {
    "welcome": ["500"],
    "verify_email": ["https://saas.example.com/verify-email?lang=en#secret", "72"],
    "reset_password": ["https://saas.example.com/verify-email?lang=en#secret"],
    "password_changed": ["https://saas.example.com/forgot-password"],
    "key_made": ["https://saas.example.com/account#keys", "My script", "isk_Ab3d"],
    "trial_ending": ["120", "30"],
    "receipt": ["$25.00", "Starter, one month", "IN-7", "5,000", "https://pay.example.com/i?a=1&b=2"],
    "payment_failed": ["$75.00", "Pro"],
    "low_credits": ["7"],
    "tester_granted": ["50,000"],
    "deletion_warning": ["https://saas.example.com/account"],
    "export_ready": ["https://saas.example.com/account", "1.5 GB"],
    "deletion_requested": ["https://saas.example.com/account"],
    "account_deleted": [
        "6f1a2c00-0000-4000-8000-000000000000",
        "1,234",
        "999 B",
        "56,789",
        "ab" * 32,
        "req_1",
    ],
}
DATES = {"en": "27 November 2026", "ko": "2026년 11월 27일"}
FACTS: dict[str, object] = {
    "site": "https://saas.example.com",
    "name": "Ada",
    "link": "https://saas.example.com/verify-email?lang=en#secret",
    "hours": 72,
}
SENDER = "InvokeAI <post@invokeai.example>"


def _visible(html: str) -> str:
    """What is read of an HTML part, less its heading."""
    body = html[html.index("</h1>") :]
    text = re.sub(r"<[^>]+>", " ", body)
    return " ".join(text.replace("&#39;", "'").replace("&amp;", "&").split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_mail_says_what_it_has_to(kind: Kind, language: str) -> None:
    said = words(kind, language, DATA[kind], FACTS)
    assert said.subject and "\n" not in said.subject
    for fact in SAYS[kind] + ([DATES[language]] if WHEN in DATA[kind].values() else []):
        assert fact in " ".join(said.text.split()), fact
        assert fact in _visible(said.html), fact
    assert "Ada" in said.text and "Ada" in said.html
    assert max(map(len, said.text.splitlines())) <= 90
    assert f'<html lang="{language}">' in said.html
    assert re.search("[가-힣]", said.text) is not None if language == "ko" else said.text.isascii()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", get_args(Kind))
def test_both_parts_have_the_same_sentences(kind: Kind, language: str) -> None:
    said = words(kind, language, DATA[kind], FACTS)
    html = _visible(said.html)
    for paragraph in said.text.split("\n\n"):
        sentence = " ".join(paragraph.split())
        if ": http" not in sentence and not sentence.startswith("--"):
            assert sentence.replace(": ", " ") in html.replace(": ", " ")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_may_be_missing_leaves_no_hole(kind: Kind) -> None:
    needed = {name for name, field in KINDS[kind].model_fields.items() if field.is_required()}
    data = {name: value for name, value in DATA[kind].items() if name in needed}
    for language in LANGUAGES:
        said = words(kind, language, data, FACTS | {"name": None})
        assert "None" not in said.text + said.html
        assert "Ada" not in said.text


def test_templates_and_kinds_are_the_same() -> None:
    folder = Path(rendering.__file__).parent / "templates"
    for language in LANGUAGES:
        there = {file.stem for file in (folder / language).glob("*.j2")} - {"text", "html"}
        assert there == set(get_args(Kind)) == set(KINDS)


def test_what_people_wrote_stays_text() -> None:
    said = words(
        "receipt", "en", DATA["receipt"] | {"what": "<b>x</b>\r\nBcc: all"}, FACTS | {"name": "<img src=x>"}
    )
    assert "<b>" not in said.html and "<img" not in said.html
    assert said.subject == "Receipt for <b>x</b> Bcc: all"
    mail = message(claimed(), said, SENDER)
    assert mail["Bcc"] is None
    assert b"\r\nBcc:" not in mail.as_bytes().partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("kind", "data"),
    [("nothing", {}), ("trial_ending", {}), ("low_credits", {"available": "many"})],
)
def test_rows_that_no_mail_can_be_made_of(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        words(kind, "en", data, FACTS)


def test_headers() -> None:
    mail = message(claimed(language="ko"), words("welcome", "ko", {}, FACTS), SENDER)
    assert mail["Message-ID"] == "<00000000-0000-0000-0000-000000000007@invokeai.example>"
    assert mail["X-InvokeAI-SaaS-Mail"] == "00000000-0000-0000-0000-000000000007"
    assert mail["From"] == SENDER
    assert mail["To"] == "ada@example.com"
    assert mail["Date"] == "Tue, 24 Nov 2026 09:30:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "ko"
    content = mail.as_bytes()
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998  # RFC 5322, section 2.1.1


@pytest.mark.parametrize("address", ["", "no address", "a@b\r\nBcc: x@y.z"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(Unreadable):
        message(claimed(email=address), words("welcome", "en", {}, FACTS), SENDER)


def test_amounts_and_days() -> None:
    assert money(2500, "usd") == "$25.00"
    assert money(123456, "EUR") == "€1,234.56"
    assert money(29000, "krw") == "₩29,000"
    assert money(100, "chf") == "1.00 CHF"
    moment = datetime.fromisoformat("2026-11-28T08:00:00+09:00")
    assert rendering.day(moment, "en") == "27 November 2026"  # of UTC
    assert rendering.day(datetime(2026, 3, 1, tzinfo=UTC), "ko") == "2026년 3월 1일"
