"""What our pages say: everything, in every language, with the same blanks, and only what somebody reads."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import invokeai_saas.portal
from invokeai_saas.portal import texts, texts_account, texts_keeping, texts_models, texts_site
from invokeai_saas.portal.texts import TEXTS

PARTS = (
    (texts_site.EN, texts_site.KO),
    (texts_account.EN, texts_account.KO),
    (texts_keeping.EN, texts_keeping.KO),
    (texts_models.EN, texts_models.KO),
    (texts.RECOVERY_TEXTS["en"], texts.RECOVERY_TEXTS["ko"]),
)
# The same in both languages, since they are names.
NAMES = {"model_sd", "model_flux", "plan_gpu", "own_kind_lora", "own_kind_controlnet", "own_kind_vae"}
# Made of a part that the code knows and one that data brings.
PUT_TOGETHER = re.compile(
    r"(error|source|kind|why|invoice|export|tier|model|picture|feature|note|count|chooser|plan_price|own_kind|f)_\w+"
    r"|install_(waiting|downloading|downloads_done|running|paused|completed|error|cancelled|\w+_named)"
    r"|(forgot|reset|verify|not_found|too_many|away)_(title|text)"
)


def _blanks(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w+)\}", text)))


def test_every_text_is_there_in_every_language() -> None:
    for english, korean in PARTS:
        assert set(english) == set(korean)
        for name, text in english.items():
            assert text and korean[name]
            assert _blanks(text) == _blanks(korean[name]), name


def test_every_text_is_translated() -> None:
    for english, korean in PARTS:
        for name, text in korean.items():
            if name in NAMES:
                assert text == english[name]
            elif name != "language_name":
                assert re.search("[가-힣]", text), name
                assert not re.search("[가-힣]", english[name]), name


def test_no_name_stands_in_two_parts() -> None:
    count = Counter(name for english, _ in PARTS for name in english)
    assert [name for name, times in count.items() if times > 1] == []


def test_every_text_is_used() -> None:
    folder = Path(invokeai_saas.portal.__file__).parent
    files = [*folder.glob("templates/*.html"), *folder.glob("static/**/*.js"), *folder.glob("*.py")]
    used = set()
    for file in files:
        if not file.name.startswith("texts"):
            used |= set(re.findall(r"\w+", file.read_text("utf-8")))
    unused = {name for name in TEXTS["en"] if name not in used and not PUT_TOGETHER.fullmatch(name)}
    assert unused - {"language_name", "link_invalid", "rate_limited", "unavailable"} == set()
