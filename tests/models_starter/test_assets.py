"""How names are read from the packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training import assets
from training.catalogue import Thing


@pytest.mark.parametrize(
    ("code", "key"), [("1F60E", "1f60e"), ("2764-FE0F", "2764"), ("0023-FE0F-20E3", "23-20e3")]
)
def test_hexcodes_become_keys(code: str, key: str) -> None:
    assert assets.hexcode(code) == key


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("smiling face with heart-eyes", "smiling-face-with-heart-eyes"),
        ("piñata", "pinata"),
        ("woman’s hat", "womans-hat"),
    ],
)
def test_labels_become_iconifys_names(label: str, slug: str) -> None:
    assert assets.slug(label) == slug


def test_labels_of_flags_and_keys() -> None:
    assert assets.label_of("flag: France") == ("flag of france", {"france flag"})
    assert assets.label_of("keycap: 3") == ("number 3", set())
    assert assets.label_of("Red Heart") == ("red heart", set())


def test_the_hand_written_names_are_clean_and_say_where_they_are_from() -> None:
    raw = json.loads(assets.EXTRA_NAMES.read_text(encoding="utf-8"))
    assert "Written by hand" in raw["_origin"]
    names = assets.extra_names()
    assert "_origin" not in names
    assert "heart" in names["red heart"]
    assert all(name and name == assets.clean(name) for several in names.values() for name in several)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """The packages' files in miniature: one emoji in three styles and two game icons."""

    def write(path: str, value: object) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")

    heart = {"hexcode": "2764", "label": "red heart", "emoji": "❤️", "tags": ["love"], "group": 8}
    letter = {"hexcode": "1F1E6", "label": "regional indicator A", "emoji": "🇦", "type": 1}
    write("emojibase-data/en/data.json", [heart, letter])
    for source in ("github", "iamcal", "joypixels", "emojibase", "cldr"):
        write(f"emojibase-data/en/shortcodes/{source}.json", {"2764": ["heart", "heart_2"]})
    write("emojilib/dist/emoji-en-US.json", {"❤️": ["red_heart", "valentines", "like"]})
    svg = {"width": 16, "icons": {"red-heart": {"body": "<path/>"}, "unheard-of": {"body": "<path/>"}}}
    write("@iconify-json/noto/icons.json", svg)
    write("@iconify-json/fluent-emoji-flat/icons.json", svg)
    icons = {
        "broadsword": {"body": "<path/>"},
        "dice-six-faces-1": {"body": ""},
        "old": {"body": "", "hidden": True},
    }
    write("@iconify-json/game-icons/icons.json", {"icons": icons})
    renders = tmp_path / "@lobehub" / "fluent-emoji-3d" / "assets"
    renders.mkdir(parents=True)
    (renders / "2764.webp").write_bytes(b"webp")
    return tmp_path


def test_pictures_find_their_things(packages: Path, tmp_path: Path) -> None:
    pictures, things = assets.collect(packages)
    assert [(p.style, p.thing) for p in pictures] == [
        ("3d", "2764"),
        ("cartoon", "2764"),
        ("flat", "2764"),
        ("silhouette", "game-icons:broadsword"),
    ]
    heart = things["2764"]
    assert isinstance(heart, Thing)
    assert heart.label == "red heart"
    assert {"heart", "love heart"} <= set(heart.names)
    assert set(heart.tags) == {"like", "love", "valentines"}
    assert set(things) == {"2764", "game-icons:broadsword"}
    assets.save((pictures, things), tmp_path / "bundle" / "assets.xz")
    assert assets.load(tmp_path / "bundle" / "assets.xz") == (pictures, things)


def test_the_silhouettes_can_be_left_out(packages: Path) -> None:
    pictures, things = assets.collect(packages, silhouettes=False)
    assert {picture.style for picture in pictures} == {"3d", "cartoon", "flat"}
    assert set(things) == {"2764"}
