"""A wheel with a page of InvokeAI's shape in it, small enough to make for each test."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

INDEX = """<!DOCTYPE html>
<html lang="en">

<head>
  <meta charset="UTF-8" />
  <title>Invoke - Community Edition</title>
  <script type="module" crossorigin src="./assets/index-abc.js"></script>
</head>

<body dir="ltr">
  <div id="root"></div>
</body>

</html>
"""
SCRIPT = "console.log('the page');\n" * 500
FONT = bytes(range(256)) * 8
PAGE = {
    "index.html": INDEX.encode(),
    "assets/index-abc.js": SCRIPT.encode(),
    "assets/inter-latin-wght-normal-abc.woff2": FONT,
    "assets/images/logo.svg": b"<svg/>",
    "locales/en.json": b'{"a": 1}' * 200,
}


def make_wheel(
    folder: Path, files: dict[str, bytes] | None = None, prefix: str = "invokeai/frontend/web/dist"
) -> Path:
    """Writes a wheel with these files under `prefix`, and something else of the package beside them."""
    wheel = folder / "invokeai-6.14.2-py3-none-any.whl"
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        archive.writestr("invokeai/app/api_app.py", "raise SystemExit")
        for name, content in (PAGE if files is None else files).items():
            archive.writestr(f"{prefix}/{name}", content)
    return wheel
