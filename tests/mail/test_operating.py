"""`invokeai-saas admin mail` as operators type it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from invokeai_saas.mail.sending import Mailer
from invokeai_saas.settings import Settings
from tests.factories import make_person
from tests.mail.box import Mailbox
from tests.processes import environment


def _mail(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command."""
    return subprocess.run(
        [sys.executable, "-m", "invokeai_saas", "admin", "mail", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_mails_are_listed_and_tried_again(settings: Settings, box: Mailbox, mailer: Mailer) -> None:
    ada = make_person(box.database, "ada@example.com")
    good = box.put(ada)
    bad = box.put(ada, "low_credits", "[broken]")
    mailer.send_due()
    listed = _mail(settings, "list")
    assert listed.returncode == 0, listed.stderr
    assert all(word in listed.stdout for word in (str(good), str(bad), "ada@example.com", "sent", "failed"))
    assert "does not fit" in listed.stdout
    failed = _mail(settings, "list", "--state", "failed").stdout
    assert str(bad) in failed and str(good) not in failed

    box.execute("""UPDATE mail_outbox SET data = '{"available": 3}' WHERE id = %s""", bad)
    again = _mail(settings, "retry", str(bad), str(good))  # what went out is not sent once more
    assert "1 mail will be tried again" in again.stdout, again.stderr
    assert mailer.send_due() == 1
    assert "0 mails" in _mail(settings, "retry", "--failed").stdout


@pytest.mark.parametrize(
    "arguments", [["retry"], ["retry", "no-id"], ["retry", "--failed", "x"], ["list", "--state", "lost"]]
)
def test_what_cannot_be_is_said(settings: Settings, arguments: list[str]) -> None:
    answer = _mail(settings, *arguments)
    assert answer.returncode == 1
    assert "What to do" in answer.stderr
    assert "Traceback" not in answer.stderr
