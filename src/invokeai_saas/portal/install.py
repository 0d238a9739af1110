"""Takes InvokeAI's compiled page out of its wheel, adds our one script tag, and makes it ready to serve.

Nothing of InvokeAI's is in our tree, and none of its dependencies is installed for its page: the wheel is a
zip file, and the page is a folder in it. Files are compressed here, once, so that no request waits for it.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from invokeai_saas.errors import SetupError
from invokeai_saas.portal.page import COMPRESSED, MANIFEST, MEDIA_TYPES, InstalledFile, write_manifest

PAGE_IN_WHEEL = "invokeai/frontend/web/dist"
# A classic script at the head's very start: it runs before the page's modules do, which is what lets it renew
# an expired log-in before the page asks for anything.
SCRIPT_TAG = '<script src="/portal/bar.js"></script>'

_REMEDY = (
    "Run `make install`; without the engine's environment, `pip download` what requirements/page.txt names."
)

Content = tuple[PurePosixPath, bytes]


def install_page(wheel: Path, page_dir: Path) -> None:
    """Installs the page from InvokeAI's wheel.

    Parameters:
        wheel: an `invokeai-*.whl` file.
        page_dir: the folder to make. What stands there is replaced whole, never mixed with the new one.

    Raises:
        SetupError: the file is no wheel, or holds no page that we know how to extend.
    """
    try:
        with ZipFile(wheel) as archive:
            _install(_contents_of_wheel(archive), page_dir, source=wheel.name)
    except (FileNotFoundError, BadZipFile) as error:
        raise SetupError(f"{wheel} cannot be read as a wheel: {error}.", _REMEDY) from error


def install_page_from_folder(folder: Path, page_dir: Path) -> None:
    """Installs the page from an unpacked `invokeai/frontend/web/dist`, as an engine environment has it.

    Raises:
        SetupError: the folder holds no page that we know how to extend.
    """
    _install(_contents_of_folder(folder), page_dir, source=str(folder))


def add_script_tag(html: str) -> str:
    """InvokeAI's index.html with our tag as the first thing in its head, whatever else it says unchanged.

    Raises:
        SetupError: there is not exactly one head.
    """
    if html.count("<head>") != 1:
        raise SetupError("InvokeAI's index.html is not as expected: it has no single <head>.", _REMEDY)
    return html.replace("<head>", f"<head>\n  {SCRIPT_TAG}")


def _contents_of_wheel(archive: ZipFile) -> Iterator[Content]:
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        if not entry.is_dir() and path.is_relative_to(PAGE_IN_WHEEL):
            yield path.relative_to(PAGE_IN_WHEEL), archive.read(entry)


def _contents_of_folder(folder: Path) -> Iterator[Content]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield PurePosixPath(path.relative_to(folder)), path.read_bytes()


def _install(contents: Iterator[Content], page_dir: Path, source: str) -> None:
    page_dir.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{page_dir.name}-", dir=page_dir.parent))
    try:
        files = dict(_write(draft, path, content) for path, content in contents)
        if "index.html" not in files:
            raise SetupError(f"{source} holds no compiled page ({PAGE_IN_WHEEL}/index.html).", _REMEDY)
        write_manifest(draft / MANIFEST, source, files)
        draft.chmod(0o755)
        _put_in_place(draft, page_dir)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(root: Path, path: PurePosixPath, content: bytes) -> tuple[str, InstalledFile]:
    """Writes a file, and its compressed twin where that is worth a request's while."""
    if path.is_absolute() or ".." in path.parts:
        raise SetupError(f"The wheel names a file outside its page: {path}.", _REMEDY)
    if str(path) == "index.html":
        content = add_script_tag(content.decode()).encode()
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    compressed = False
    if path.suffix in COMPRESSED:
        small = gzip.compress(content, compresslevel=9, mtime=0)
        compressed = len(small) < 0.9 * len(content)
        if compressed:
            target.with_name(f"{target.name}.gz").write_bytes(small)
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return str(path), InstalledFile(media_type, sha256(content).hexdigest()[:20], compressed)


def _put_in_place(draft: Path, page_dir: Path) -> None:
    """Swaps two folders by renaming, so that no reader ever sees half of either."""
    retired = draft.with_name(f"{draft.name}-retired")
    if page_dir.exists():
        page_dir.rename(retired)
    try:
        draft.rename(page_dir)
    except OSError:
        if retired.exists():
            retired.rename(page_dir)
        raise
    shutil.rmtree(retired, ignore_errors=True)
