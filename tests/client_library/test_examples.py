"""`invokeai-py-client` 1.1.1, which nobody here wrote: its documented examples see the same at stock InvokeAI and here.

Nothing differs between the two runs but the address and the token, which here is an API key.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apps import LiveApi
from tests.client_library.conftest import MODEL, command
from tests.graphs import add_model
from tests.identity.keys.people import make_key
from tests.plans import put_on
from tests.servers import TestDatabase
from tests.workers import working


@pytest.fixture
async def seen_here(environments: None, live_api: LiveApi, database: TestDatabase) -> dict[str, Any]:
    """What the examples saw at our API, with the mock worker."""
    add_model(database, **MODEL, base="sdxl")
    ada = await live_api.person("ada@example.com")
    put_on(database, ada.user_id, "tester")  # who may have keys, on the tier that the worker serves
    key = (await make_key(ada))["key"]
    async with working(live_api.settings):
        running = await asyncio.create_subprocess_exec(
            *command(live_api.url, key),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await running.communicate()
    assert running.returncode == 0, err.decode()[-3000:]
    seen: dict[str, Any] = json.loads(out)
    return seen


async def test_the_documented_examples_see_the_same_at_stock_invokeai_and_here(
    seen_at_stock: dict[str, Any], seen_here: dict[str, Any]
) -> None:
    failed = {name: seen for name, seen in seen_at_stock.items() if isinstance(seen, str) and "Error" in seen}
    assert failed == {}, "examples that don't run against stock InvokeAI prove nothing"
    # InvokeAI keeps installs for its administrator; here each person has a list of their own.
    refused, own = (seen.pop("models_are_not_ours_to_change") for seen in (seen_at_stock, seen_here))
    for call, answer in (("list_install_jobs", "[]"), ("prune", "True")):
        assert (refused.pop(call), own.pop(call)) == ("APIRequestError 403", answer)
    different = list(_differences("", [own, seen_here], [refused, seen_at_stock]))
    assert not different, "\n".join(["", *different])


def _differences(path: str, here: Any, stock: Any) -> Iterator[str]:
    """What differs, a line each, with where it stands."""
    if isinstance(here, list) and isinstance(stock, list) and len(here) == len(stock):
        for number, (ours, theirs) in enumerate(zip(here, stock, strict=True)):
            yield from _differences(f"{path}/{number}", ours, theirs)
    elif isinstance(here, dict) and isinstance(stock, dict):
        for key in sorted(here.keys() | stock.keys()):
            yield from _differences(f"{path}/{key}", here.get(key, "(absent)"), stock.get(key, "(absent)"))
    elif here != stock:
        yield f"{path}: here {here!r}, stock {stock!r}"
