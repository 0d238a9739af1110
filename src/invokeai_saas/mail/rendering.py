"""Mails as people read them: one template a kind and language, laid out as text and as HTML.

A template sets its subject and writes its body with the macros of the layout that it is given (`text.j2`, `html.j2`),
so that the two parts cannot say different things.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Protocol, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from invokeai_saas.languages import DEFAULT, LANGUAGES, Language
from invokeai_saas.mail.repository import ClaimedMail
from invokeai_saas.mail.schemas import KINDS, Kind

_TEMPLATES = Path(__file__).parent / "templates"
_WIDTH = 76  # columns of the text part
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
# Currencies without a smaller unit, as Stripe lists them: https://docs.stripe.com/currencies#zero-decimal
_WHOLE = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
    }
)  # fmt: skip
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "KRW": "₩", "JPY": "¥"}
MAIL_ID_HEADER = "X-InvokeAI-SaaS-Mail"  # stays where a relay writes a Message-ID of its own, as SES does


class Unreadable(Exception):
    """The row's kind or data is not what a template can make a mail of. Trying again would not help."""


@dataclass(frozen=True)
class Words:
    """A mail's subject and its two bodies."""

    subject: str
    text: str
    html: str


class _Rendered(Protocol):
    subject: str


def day(moment: datetime, language: Language) -> str:
    """A date (of UTC) as it is written in a sentence."""
    moment = moment.astimezone(UTC)
    if language == "ko":
        return f"{moment.year}년 {moment.month}월 {moment.day}일"
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def money(amount: int, currency: str) -> str:
    """An amount of the currency's smallest unit, as it is written."""
    code = currency.upper()
    figure = f"{amount:,}" if code in _WHOLE else f"{Decimal(amount) / 100:,.2f}"
    return f"{_SIGNS[code]}{figure}" if code in _SIGNS else f"{figure} {code}"


def size(count: int) -> str:
    """Bytes, as people read them."""
    amount, unit = float(count), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"


def _environment(*, html: bool) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=html,  # noqa: S701 - the other part is plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = lambda count: f"{count:,}"
    made.globals["money"] = money
    made.globals["size"] = size
    return made


_TEXT, _HTML = _environment(html=False), _environment(html=True)


def words(kind: str, language: str, data: Mapping[str, Any], facts: Mapping[str, object]) -> Words:
    """What a mail says.

    Parameters:
        kind, data: as in the outbox.
        facts: what is not in the row: `site` (where the service is), `name` (None for a person whose address is not
            confirmed: strangers must not be able to put words of theirs into our mails), `link` and `hours` where the
            mail carries a link.

    Raises:
        Unreadable: there is no such kind, or the data does not fit it.
    """
    if kind not in KINDS:
        raise Unreadable(f"there is no mail {kind!r}")
    spoken: Language = next((known for known in LANGUAGES if known == language), DEFAULT)
    needed = KINDS[cast(Kind, kind)]
    try:  # functions of the database may say more than there is a sentence for
        told = dict(needed.model_validate({name: data[name] for name in needed.model_fields if name in data}))
    except ValueError as error:
        raise Unreadable(f"the data does not fit: {error}") from error
    try:
        return _both_parts({**told, **facts, "kind": kind, "language": spoken}, spoken)
    except TemplateError as error:
        raise Unreadable(f"the template cannot be filled in: {error}") from error


def _both_parts(context: dict[str, object], language: Language) -> Words:
    context["day"] = lambda moment: day(moment, language)
    subject, text_body = _render(_TEXT, "text.j2", context)
    _, html_body = _render(_HTML, "html.j2", context)
    frame = _HTML.get_template("frame.html")
    html = frame.render(**context, subject=subject, body=Markup(html_body))  # noqa: S704 - rendered with escaping
    return Words(subject, _wrapped(text_body), html)


def _render(environment: Environment, layout: str, context: Mapping[str, object]) -> tuple[str, str]:
    template = environment.get_template(f"{context['language']}/{context['kind']}.j2")
    module = template.make_module({**context, "layout": f"{context['language']}/{layout}"})
    return " ".join(str(cast(_Rendered, module).subject).split()), str(module)


def _wrapped(body: str) -> str:
    """Paragraphs of at most 76 columns. Addresses stay whole, however long."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", body) if part.strip()]
    filled = [
        textwrap.fill(part, _WIDTH, break_long_words=False, break_on_hyphens=False) for part in paragraphs
    ]
    return "\n\n".join(filled) + "\n"


def message(mail: ClaimedMail, said: Words, sender: str) -> EmailMessage:
    """The mail as it goes out: RFC 5322, with both parts.

    Its Message-ID is made from the row's id, so that a mail that is sent again is seen to be the same one.

    Parameters:
        sender: MAIL_FROM, an address with or without a name.

    Raises:
        Unreadable: the person's address cannot stand in a header.
    """
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2]
    made = EmailMessage(policy=SMTP)
    try:
        made["From"] = Address(name, addr_spec=address)
        made["To"] = Address(addr_spec=mail.email)
        made["Subject"] = said.subject
    except (ValueError, IndexError) as error:
        raise Unreadable(f"a header cannot be written: {error}") from error
    made["Date"] = format_datetime(mail.created_at.astimezone(UTC))
    made["Message-ID"] = f"<{mail.id}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes in answer
    made[MAIL_ID_HEADER] = str(mail.id)
    made.set_content(said.text, charset="utf-8", cte="quoted-printable")
    made.add_alternative(said.html, subtype="html", charset="utf-8", cte="quoted-printable")
    made["Content-Language"] = mail.language  # last: content headers before that would go to the first part
    return made
