"""A process that owns embedded servers and is ended by a test: `python owner.py DATA_DIR [USER]`.

With a USER it stops being root first.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  # loaded late otherwise, when the interpreter's home may be closed to us
import json
import os
import pwd
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from invokeai_saas.embedded.servers import EmbeddedServers


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if not os.access(sys.executable, os.X_OK):  # children go through an interpreter
        sys.executable = shutil.which("python3", path=os.defpath) or sys.executable


def main() -> None:
    if len(sys.argv) > 2:
        become(sys.argv[2])
    servers = EmbeddedServers(Path(sys.argv[1]), durable=False)
    addresses = servers.start()
    sys.stdout.write(json.dumps({"addresses": asdict(addresses), "pids": servers.pids()}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the test closes it, or kills us
    servers.stop()


if __name__ == "__main__":
    main()
