"""What the data folder remembers: who holds it, which ports and passwords its servers have."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from ..errors import SetupError


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader sees the old text or the new, never half."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class FolderLock:
    """Keeps two instances out of one data folder.

    A kernel lock on an open file: it goes when its holder does, however that ends, so it is never stale.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises: SetupError: another process, or another object of this one, holds the folder."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            folder = self._path.parent
            raise SetupError(
                f"Another instance (process {holder or 'unknown'}) is using the data folder {folder}.",
                "Stop it first, or give this one a folder of its own with DATA_DIR.",
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the folder go. Harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The pid that holds the folder now, or None when it is free."""
        try:
            descriptor = os.open(self._path, os.O_RDWR)
        except OSError:  # never used, or not a folder of ours
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32) or b"0")
        else:
            return None
        finally:
            os.close(descriptor)


def _secret() -> str:
    return secrets.token_urlsafe(24)


@dataclass
class ServerState:
    """Ports and secrets of one data folder's servers; made once, then kept."""

    ports: dict[str, int] = field(default_factory=dict)
    postgres_password: str = field(default_factory=_secret)
    valkey_password: str = field(default_factory=_secret)
    s3_access_key: str = field(default_factory=lambda: "AK" + secrets.token_hex(9).upper())
    s3_secret_key: str = field(default_factory=_secret)
    store_signing_key: str = field(default_factory=_secret)  # between the object store's own parts

    @classmethod
    def load(cls, path: Path) -> Self:
        """The kept state, or a fresh one where there is none.

        Raises:
            SetupError: the file is there and does not read.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError) as error:
            raise SetupError(
                f"{path} does not read: {error}.",
                "It holds the passwords of the servers in this folder: restore it from a backup, "
                "or set DATA_DIR to a new folder.",
            ) from error

    def save(self, path: Path) -> None:
        """Keep it, readable by its owner only."""
        write_private(path, json.dumps(asdict(self), indent=1))
