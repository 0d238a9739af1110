"""Spellings of one mailbox: what two addresses that lead to the same person's letters have in common."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

_DOTS_ARE_NOTHING = {"gmail.com", "googlemail.com"}  # support.google.com/mail/answer/7436150
_SAME_AS = {"googlemail.com": "gmail.com"}


def folded(email: str) -> str:
    """An address without what its writer may choose: case, what follows a `+`, the domain's alphabet, Gmail's dots.

    Not for sending to. What is no address stays as it is, in lower case.
    """
    try:
        parts = validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return email.strip().casefold()
    local, domain = parts.local_part.casefold(), parts.ascii_domain.lower()
    local = local.split("+", 1)[0] or local
    if domain in _DOTS_ARE_NOTHING:
        local = local.replace(".", "") or local
    return f"{local}@{_SAME_AS.get(domain, domain)}"
