"""How large the environment is that a lock installs, and whether that is within the limit.

    python docker/tree_size.py [--limit MB] requirements/api.txt

Makes a virtual environment in a temporary folder as docker/Dockerfile.api does (wheels alone, by hash, without pip in
it, without what docker/trim.py takes out), adds up its files, and removes it. Ends with 1 when it is larger than the
limit. 1 MB is a million bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from pathlib import Path

from trim import trim

LIMIT = 250.0  # MB
_SHOWN = 10  # of the largest packages


def install(lock: Path, folder: Path) -> Path:
    """Installs a lock into a new environment; answers its `site-packages`.

    Raises CalledProcessError when pip refuses: a hash that is wrong, or a package without a wheel for this machine.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, "-r", str(lock)]
    subprocess.run(command, check=True)
    return next(folder.glob("lib/python*/site-packages"))


def sizes(folder: Path) -> Counter[str]:
    """Bytes below a folder by the first part of the path; links count nothing."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found[path.relative_to(folder).parts[0]] += path.stat().st_size
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="The size of what a lock installs.")
    parser.add_argument("lock", type=Path)
    parser.add_argument("--limit", type=float, default=LIMIT, help="in MB")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tree-size-") as temporary:
        site = install(asked.lock, Path(temporary, "tree"))
        if (site / "botocore").is_dir():
            trim(site)
        total = sum(sizes(Path(temporary, "tree")).values()) / 1e6
        for name, size in sizes(site).most_common(_SHOWN):
            print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"{asked.lock} installs {total:.1f} MB; the limit is {asked.limit:.0f} MB")
    return 0 if total <= asked.limit else 1


if __name__ == "__main__":
    sys.exit(main())
