"""Fonts that the server adds to the browser's own, of which there are none."""

from __future__ import annotations

from tests.apps import RunningApi


async def test_there_is_no_font(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    assert (await ada.get("/api/v1/utilities/fonts")).json() == {"fonts": []}
    for path in ("a.ttf", "a/b.woff2", "..%2f..%2fetc%2fpasswd"):
        assert (await ada.get(f"/api/v1/utilities/fonts/{path}")).status_code == 404
