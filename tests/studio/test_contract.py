"""docs/contract.md against the running application."""

from __future__ import annotations

import re
from typing import Any

import pytest

from invokeai_saas.studio.refusals import REFUSALS
from tests.apps import RunningApi
from tests.contract import DOCUMENT, OPERATIONS, Operation


def _of(answer: str) -> list[Operation]:
    return [operation for operation in OPERATIONS if operation.answer == answer]


def test_every_operation_has_its_row() -> None:
    assert len(OPERATIONS) == len({operation[:2] for operation in OPERATIONS}) == 191
    counts = re.findall(r"^\| (served|empty|403|501) \| .* \| (\d+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert {answer: int(count) for answer, count in counts} == {
        answer: len(_of(answer)) for answer in ("served", "empty", "403", "501")
    }


def test_every_refusal_is_in_the_document() -> None:
    refused = {(method, refusal.path) for refusal in REFUSALS for method in refusal.methods}
    assert refused <= {operation[:2] for operation in [*_of("403"), *_of("501")]}


def _nameless(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


async def test_what_is_served_is_described_and_needs_a_log_in(api: RunningApi) -> None:
    nobody = api.nobody()
    paths = (await nobody.get("/openapi.json")).json()["paths"]
    described = {(method.upper(), _nameless(path)) for path, methods in paths.items() for method in methods}
    for method, path, _, _ in [*_of("served"), *_of("empty")]:
        assert ("GET" if method == "HEAD" else method, _nameless(path)) in described, (method, path)
    for operation in OPERATIONS:
        status = (await nobody.request(operation.method, operation.example)).status_code
        assert (status == 401) != operation.is_public, (operation, status)


@pytest.mark.parametrize(("answer", "codes"), [("403", {"forbidden"}), ("501", {"not_served"})])
async def test_what_is_refused_says_so(api: RunningApi, answer: str, codes: set[str]) -> None:
    ada = await api.person("ada@example.com")
    for operation in _of(answer):
        refused = await ada.request(operation.method, operation.example)
        assert refused.status_code == int(answer), operation
        if operation.method != "HEAD":
            assert refused.json()["code"] in codes, operation
            assert refused.json()["detail"].endswith("."), operation


def _holds_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_holds_nothing, value.values()))
    return value in ([], 0, None, False)


async def test_what_is_empty_is_empty(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    for operation in _of("empty"):
        if operation.path.endswith("{font_path}"):
            continue  # a file of an empty list: test_fonts.py
        answer = await ada.request(operation.method, operation.example)
        assert answer.status_code == 200, (operation, answer.text)
        found = answer.json()
        if isinstance(found, dict):
            found = {key: value for key, value in found.items() if key not in ("limit", "per_page")}
        assert _holds_nothing(found), (operation, found)


async def test_unknown_addresses_are_not_found(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    for path in ("/api/v1/nothing", "/api/v2/models/i", "/api/v9/x", "/api/"):
        for subject in (ada, api.nobody()):
            answer = await subject.get(path)
            assert (answer.status_code, answer.json()) == (
                404,
                {"detail": "This address was not found.", "code": "not_found"},
            )


async def test_the_applications_own_facts(api: RunningApi) -> None:
    ada = await api.person("ada@example.com")
    assert (await api.nobody().get("/api/v1/app/version")).json() == {"version": "6.14.2"}
    assert (await ada.get("/api/v1/app/patchmatch_status")).json() is True
    assert (await ada.get("/api/v1/app/app_deps")).json() == {"InvokeAI": "6.14.2"}
    bad = await ada.get("/api/v1/workflows/counts_by_category?categories=mine")
    assert (bad.status_code, bad.json()["detail"][0]["loc"][:2]) == (422, ["query", "categories"])
