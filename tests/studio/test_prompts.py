"""Dynamic prompts. Expected lists are what the `dynamicprompts` library gives for the same text."""

from __future__ import annotations

import time

import pytest

from invokeai_saas.studio.prompts import expand
from invokeai_saas.studio.schemas import DynamicPromptsRequest
from tests.apps import RunningApi


def _all(prompt: str, most: int = 1000) -> list[str]:
    return expand(DynamicPromptsRequest(prompt=prompt, max_prompts=most)).prompts


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red heart", ["a red heart"]),
        ("", [""]),
        ("a {red|green} {cat|dog}", ["a red cat", "a red dog", "a green cat", "a green dog"]),
        ("{2$$a|b|c}", ["a,b", "a,c", "b,a", "b,c", "c,a", "c,b"]),
        ("{1-2$$ and $$a|b}", ["a", "b", "a and b", "b and a"]),
        ("{-2$$a|b}", ["a", "b", "a,b", "b,a"]),
        ("{2-$$a|b}", ["a,b", "b,a"]),
        ("{3$$a|b}", ["a,b", "b,a"]),
        ("{0$$a|b}", [""]),
        ("{0.5::a|2::b} x", ["a x", "b x"]),
        ("{a|{b|c} d}", ["a", "b d", "c d"]),
        ("x {a|} y", ["x a y", "x  y"]),
        ("x { a | b } y", ["x a  y", "x b  y"]),
        ("{a|a}", ["a"]),
        ("{2$${a|b}|c}", ["a,c", "b,c", "c,a", "c,b"]),
        ("{2::{a|b}|c}", ["a", "b", "c"]),
        ("{a||b}", ["a", "", "b"]),
        ("{}", [""]),
        ("a} | b", ["a} | b"]),
        ("(a:{1.2|1.3})", ["(a:1.2)", "(a:1.3)"]),
    ],
)
def test_expansion(prompt: str, expected: list[str]) -> None:
    assert _all(prompt) == expected


def test_no_more_than_asked_for() -> None:
    assert _all("{a|b|c}{d|e}", 4) == ["ad", "ae", "bd", "be"]


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("{a", "not closed"),
        ("{a|__colour__}", "No values found for wildcard(s): colour"),
        ("${x=a}${x}", "Variables"),
        ("{21$$" + "x|" * 21 + "}", "joined"),
        ("{" * 11 + "a" + "}" * 11, "At most"),
        ("{a|b}" * 101, "At most"),
    ],
)
def test_errors_leave_the_prompt_as_it_is(prompt: str, error: str) -> None:
    answer = expand(DynamicPromptsRequest(prompt=prompt))
    assert answer.prompts == [prompt]
    assert answer.error is not None
    assert error in answer.error


def test_random_prompts_follow_seed_and_weights() -> None:
    asked = DynamicPromptsRequest(prompt="{9::a|1::b|0::c}", max_prompts=500, combinatorial=False, seed=1)
    drawn = expand(asked).prompts
    assert drawn == expand(asked).prompts
    assert len(drawn) == 500
    assert 400 < drawn.count("a") < 490
    assert drawn.count("c") == 0


@pytest.mark.parametrize("combinatorial", [True, False])
@pytest.mark.parametrize(
    "prompt",
    [
        "{20$$" + "|".join(map(str, range(20))) + "}",
        "{2$${a|b}|{b|a}|" + "x|" * 50 + "}",
        "{2$$" + "x|" * 9_990 + "}",
        "{" + "|".join(map(str, range(3_500))) + "}",
        "x" * 9_000 + "{a|b}" * 30,
        "{5$$" + "{a|b}|" * 40 + "}",
        "{a|b}" * 100,
        "{2$$" * 10 + "a|b" + "|c}" * 10,
        "|}" * 10_000,
    ],
)
def test_nothing_takes_long(prompt: str, combinatorial: bool) -> None:
    started = time.process_time()
    answer = expand(DynamicPromptsRequest(prompt=prompt, max_prompts=10_000, combinatorial=combinatorial))
    assert time.process_time() - started < 5
    assert sum(map(len, answer.prompts)) <= 2_000_000


async def test_the_route(api: RunningApi) -> None:
    path, ada = "/api/v1/utilities/dynamicprompts", await api.person("ada@example.com")
    assert (await ada.post(path, json={"prompt": "{a|b}"})).json() == {"prompts": ["a", "b"], "error": None}
    bad = await ada.post(path, json={"prompt": "a", "max_prompts": 0})
    assert (bad.status_code, bad.json()["detail"][0]["loc"]) == (422, ["body", "max_prompts"])
    assert (await api.nobody().post(path, json={"prompt": "a"})).status_code == 401
