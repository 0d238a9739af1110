"""Settings that lie in AWS Secrets Manager: a value is `aws-secret:NAME`, or `aws-secret:NAME#KEY` of a JSON object.

They are read as a process starts. Whether one has changed since is looked at every few minutes; a process whose secret
has changed ends as if it were told to (TERM), after what it has in hand, and whoever keeps it running starts it with
the new value. That serves every kind of secret alike, those in keys of signatures included. Processes do so at
different moments, so that not all are away at once. A new password of the database alone ends no API process: its pools
find it by themselves (db/logins.py).
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import SecretStr

from invokeai_saas.aws import aws_client, aws_code, aws_errors
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)

PREFIX = "aws-secret:"
_SPREAD_SECONDS = 120.0


def references(settings: Settings) -> dict[str, str]:
    """The settings that name a secret, by field: what stands behind `aws-secret:`."""
    found = {}
    for field, value in settings:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and text.startswith(PREFIX):
            found[field] = text.removeprefix(PREFIX)
    return found


def _read(client: Any, reference: str) -> str:
    """Raises SetupError where the secret is not there, may not be read, or is not what the reference says."""
    name, _, key = reference.partition("#")
    try:
        value = str(client.get_secret_value(SecretId=name)["SecretString"])
    except aws_errors() as error:
        raise SetupError(
            f"The secret {name} cannot be read: {aws_code(error)}.",
            "See that it is there, and that this process's role may read it and use its key.",
        ) from error
    if not key:
        return value
    try:
        return str(json.loads(value)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"The secret {name} is no JSON object with the key {key}.", "Name another key."
        ) from error


def read_again(field: str) -> str | None:
    """What the secret says now that the environment names for a setting; None where it names none. Blocks.

    Raises:
        SetupError: it cannot be read.
    """
    named = Settings()
    reference = references(named).get(field)
    if reference is None:
        return None
    client = aws_client("secretsmanager", named)
    try:
        return _read(client, reference)
    finally:
        client.close()


def with_secrets(settings: Settings) -> Settings:
    """Settings with the values of the secrets that they name.

    Raises:
        SetupError: one cannot be read.
    """
    named = references(settings)
    if not named:
        return settings
    client = aws_client("secretsmanager", settings)
    values: dict[str, Any] = dict(settings)
    values |= {field: _read(client, reference) for field, reference in named.items()}
    client.close()
    return Settings.model_validate(values)


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class SecretWatch:
    """Looks after the secrets that settings name.

    Parameters:
        named: the settings as the environment has them.
        read: the same with their secrets' values.
        changed: called once, in the watch's thread, when a value is another; at some moment until the next look would
            be due, or within two minutes.
        passes: asked with a setting, what was read and what the secret says now: whether this change is none that the
            process has to end for.
    """

    def __init__(
        self,
        named: Settings,
        read: Settings,
        changed: Callable[[], None] = _end,
        passes: Callable[[str, str, str], bool] = lambda *_: False,
    ) -> None:
        self._references = references(named)
        self._read = read
        self._client = aws_client("secretsmanager", named)
        self._changed = changed
        self._passes = passes
        self._every = named.secrets_check_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="secrets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stops looking."""
        self._stop.set()
        self._thread.join(timeout=10)
        self._client.close()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            other = self._other()
            if other is not None:
                log.warning("secret_changed", secret=other)
                if not self._stop.wait(random.uniform(0, min(self._every, _SPREAD_SECONDS))):
                    self._changed()
                return

    def _other(self) -> str | None:
        """A secret whose value is no longer what was read."""
        for field, reference in self._references.items():
            value = getattr(self._read, field)
            known = value.get_secret_value() if isinstance(value, SecretStr) else value
            try:
                now = _read(self._client, reference)
                if now != known and not self._passes(field, known, now):
                    return reference
            except SetupError as error:  # what was read goes on being good
                log.warning("secret_not_read", error=str(error))
        return None


def watch_secrets(passes: Callable[[str, str, str], bool] = lambda *_: False) -> None:
    """Ends this process when a secret that its environment names has changed. Nothing where none is named.

    Parameters:
        passes: see SecretWatch.
    """
    from invokeai_saas.settings import get_settings

    named = Settings()
    if references(named) and named.secrets_check_seconds:
        SecretWatch(named, get_settings(), passes=passes).start()
