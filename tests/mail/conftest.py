"""The outbox of a test's own database, and a mailer on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from invokeai_saas.mail.sending import Mailer
from invokeai_saas.settings import Settings
from tests.mail.box import Mailbox
from tests.servers import TestDatabase


@pytest.fixture
def mailer(settings: Settings) -> Iterator[Mailer]:
    """Sends to the folder."""
    mailer = Mailer(settings)
    yield mailer
    mailer.close()


@pytest.fixture
def box(database: TestDatabase, tmp_path: Path) -> Mailbox:
    """What is in the outbox, and what has come out of it."""
    return Mailbox(database, tmp_path / "mail")
