"""The functions that CloudFront runs, in node: the signature of a picture's path is checked there as it is here."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from invokeai_saas.storage.media import MediaSigner

FUNCTIONS = Path("infra/terraform/modules/cloudfront/functions")
KEY = "k" * 43

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="SKIPPED: node is not installed")


async def answer(tmp_path: Path, name: str, uri: str, query: dict[str, str]) -> dict[str, object]:
    """What a function makes of a request. The module that only CloudFront has is stood in for."""
    code = (FUNCTIONS / f"{name}.js").read_text()
    code = code.replace(
        "import cf from 'cloudfront';", f"const cf = {{kvs: () => ({{get: async () => '{KEY}'}})}};"
    )
    event = {"request": {"uri": uri, "querystring": {k: {"value": v} for k, v in query.items()}}}
    script = tmp_path / f"{name}.mjs"
    script.write_text(f"{code}\nconsole.log(JSON.stringify(await handler({json.dumps(event)})));\n")
    process = await asyncio.create_subprocess_exec(
        "node", str(script), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()
    result: dict[str, object] = json.loads(out)
    return result


def signed(key: str) -> tuple[str, dict[str, str]]:
    path = urlsplit(MediaSigner(KEY, 3600).path(key))
    return path.path, dict(parse_qsl(path.query))


@pytest.mark.parametrize("key", ["users/u/images/a.png", "models/shared/covers/ä b+c.webp"])
async def test_a_signed_path_leads_to_its_object(tmp_path: Path, key: str) -> None:
    uri, query = signed(key)
    request = await answer(tmp_path, "media", uri, query)
    assert request == {"uri": uri.removeprefix("/images"), "querystring": {}}


async def test_other_paths_lead_nowhere(tmp_path: Path) -> None:
    uri, query = signed("users/u/images/a.png")
    flipped = {**query, "signature": ("A" if query["signature"][0] != "A" else "B") + query["signature"][1:]}
    later = {**query, "expires": str(int(query["expires"]) + 1)}
    past = int(time.time()) - 1
    expired = {
        "expires": str(past),
        "signature": MediaSigner(KEY, 3600)._signature("users/u/images/a.png", past),
    }
    for other_uri, other in [
        (uri, flipped),
        (uri, later),
        (uri, expired),
        (uri, {}),
        (uri, {"expires": query["expires"]}),
        (uri.replace("/u/", "/v/"), query),
        ("/images/%ff", query),
        (uri, {**query, "signature": query["signature"][:-1]}),
    ]:
        refused = await answer(tmp_path, "media", other_uri, other)
        assert refused["statusCode"] == 404, (other_uri, other)


async def test_views_of_the_page_are_its_index(tmp_path: Path) -> None:
    assert (await answer(tmp_path, "page", "/generate/x", {}))["uri"] == "/index.html"
    assert (await answer(tmp_path, "page", "/locales/en.json", {}))["uri"] == "/locales/en.json"
