"""Stock InvokeAI as the one to be compared with, in an environment of its own.

`.venv-peer` holds the two packages that InvokeAI's web server needs in other versions than the engine's lock
has (see requirements/peer.in) and borrows everything else from `.venv-engine`, rather than hold torch's seven
gigabytes a second time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from uuid import UUID

from bench.contender import HOST, BenchError, Contender, running
from bench.library import SIDE, Board, Library, Picture
from invokeai_saas.embedded.ports import free_port

_ROOT = Path(__file__).resolve().parent.parent
_ENGINE = _ROOT / ".venv-engine" / "bin" / "python"
_PEER = _ROOT / ".venv-peer"
_PYTHON = _PEER / "bin" / "python"
_LOCK = _ROOT / "requirements" / "peer.txt"
_ADMIN = {"email": "admin@example.com", "display_name": "Admin", "password": "Correct-horse-7"}
_PERSON = {"email": "ada@example.com", "display_name": "Ada", "password": "Correct-horse-7"}
_START = "from invokeai.app.run_app import run_app; run_app()"


def install() -> None:
    """Makes `.venv-peer`, unless it is there and as the lock says.

    Raises:
        BenchError: the engine's environment is missing.
    """
    if not _ENGINE.exists():
        raise BenchError("Stock InvokeAI runs on the engine's environment: run `make install` first.")
    engine_packages = _packages_of(_ENGINE)
    wanted = hashlib.sha256(_LOCK.read_bytes() + str(engine_packages).encode()).hexdigest()
    stamp = _PEER / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(_PEER, ignore_errors=True)
    _run(str(_ENGINE), "-m", "venv", str(_PEER))
    pip = [str(_PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # Before the engine's packages are in sight: pip would take them for installed here, and touch them.
    _run(*pip, "install", "--no-deps", "--require-hashes", "--requirement", str(_LOCK))
    # A .pth appends to the path, so what is installed here comes first.
    (_packages_of(_PYTHON) / "engine.pth").write_text(f"{engine_packages}\n")
    stamp.write_text(wanted)


def prepare(folder: Path, library: Library) -> Contender:
    """InvokeAI in multi-user mode with these people's pictures, migrated and ready to start.

    Parameters:
        folder: its root folder. One that holds the same library is used as it is, any other made afresh.
    """
    stamp = folder / "seeded"
    fresh = not (stamp.exists() and stamp.read_text() == str(library))
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    contender = _contender(folder)
    if fresh:
        with running(contender):  # the first start migrates; the measured ones do not
            user_id = _register(contender)
        _seed(folder / "databases" / "invokeai.db", user_id, library)
        stamp.write_text(str(library))
    return contender


def _contender(folder: Path) -> Contender:
    port = free_port()
    # JSON is YAML.
    configuration = {
        "schema_version": "4.0.2",
        "host": HOST,
        "port": port,
        "device": "cpu",
        "multiuser": True,
        "log_level": "warning",
        "max_queue_size": 1_000_000,  # as many as ours may hold during the run
    }
    (folder / "invokeai.yaml").write_text(json.dumps(configuration))
    return Contender(
        name="stock InvokeAI",
        command=[str(_PYTHON), "-c", _START, "--root", str(folder)],
        environment=os.environ | {"INVOKEAI_ROOT": str(folder)},
        port=port,
        log=folder / "bench.log",
        email=_PERSON["email"],
        password=_PERSON["password"],
    )


def admin_token(contender: Contender) -> str:
    """The administrator's token, for what a person may not: installing models."""
    admin = {"email": _ADMIN["email"], "password": _ADMIN["password"]}
    return str(contender.call("POST", "/api/v1/auth/login", admin)["token"])


def _register(contender: Contender) -> str:
    contender.call("POST", "/api/v1/auth/setup", _ADMIN)
    return str(contender.call("POST", "/api/v1/auth/users", _PERSON, admin_token(contender))["user_id"])


def _seed(database: Path, user_id: str, library: Library) -> None:
    """Rows as InvokeAI writes them; it reads no file to list them. Indexes are those of its migrations."""
    people = [user_id, *(str(UUID(int=number)) for number in range(1, library.people + 1))]
    with closing(sqlite3.connect(database)) as connection, connection:
        # Of this connection only: nothing of it stays with the file.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")  # KiB
        connection.executemany(
            "INSERT INTO users (user_id, email, display_name, password_hash) VALUES (?, ?, 'Somebody', '')",
            [(person, f"{person}@example.com") for person in people[1:]],
        )
        connection.executemany(
            "INSERT INTO boards (board_id, board_name, user_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
            [(b.board_id, b.name, people[b.owner], _moment(b), _moment(b)) for b in library.all_boards()],
        )
        connection.executemany(
            "INSERT INTO images (image_name, image_origin, image_category, width, height, is_intermediate,"
            " starred, created_at, updated_at, user_id)"
            f" VALUES (?, 'internal', 'general', {SIDE}, {SIDE}, FALSE, FALSE, ?, ?, ?)",
            ((p.name, _moment(p), _moment(p), people[p.owner]) for p in library.all_pictures()),
        )
        connection.executemany(
            "INSERT INTO board_images (board_id, image_name, created_at, updated_at) VALUES (?, ?, ?, ?)",
            ((p.board_id, p.name, _moment(p), _moment(p)) for p in library.all_pictures() if p.board_id),
        )


def _moment(made: Board | Picture) -> str:
    return made.created_at.strftime("%Y-%m-%d %H:%M:%S.000")


def _packages_of(python: Path) -> Path:
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    answer = subprocess.run([str(python), "-c", script], check=True, capture_output=True, text=True)
    return Path(answer.stdout.strip())


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
