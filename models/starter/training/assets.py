"""Collects pictures and their names from the packages into one bundle, `assets.xz`."""

from __future__ import annotations

import json
import lzma
import pickle
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from training import vocabulary as words
from training.catalogue import Picture, Style, Thing

EXTRA_NAMES: Final = Path(__file__).with_name("extra_names.json")
_SKIN_TONES: Final = ("1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff")
_SHORTCODES: Final = ("github", "iamcal", "joypixels", "emojibase", "cldr")
_WORDING = re.compile(r"^[a-z0-9][a-z0-9 '&\-]*$")
_SKIN_TONE_ICON = re.compile(r"skin-tone|-(light|medium|dark)(-.*)?-tone|tone.*-(light|medium|dark)(-|$)")
#: Game icons whose names are numbers, dice, cards or drawings of nothing.
_NAMELESS_ICON = re.compile(r"^abstract|^\d|^dice-|card-\d|-\d+$|^card-(10|[2-9])")
_LONGEST_SVG: Final = 60_000  # characters; the few beyond are engravings that turn to mush at 256 px

Bundle = tuple[list[Picture], dict[str, Thing]]


def hexcode(code: str) -> str:
    """A code point sequence as the key of a thing: lower case, no leading zeros, no variation selectors."""
    return "-".join(part.lstrip("0") or "0" for part in code.lower().split("-") if part != "fe0f")


def slug(label: str) -> str:
    """The name Iconify gives an emoji: ASCII words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", label.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")


def clean(phrase: str) -> str:
    """Lower case, without punctuation that a prompt would not have."""
    phrase = phrase.lower().replace("_", " ").replace("\u2019", "'")
    phrase = re.sub(r"[\u201c\u201d]", "", phrase)
    return re.sub(r"\s+", " ", re.sub(r"[^a-z0-9'&\- ]", " ", phrase)).strip(" -'")


def extra_names(path: Path = EXTRA_NAMES) -> dict[str, list[str]]:
    """The hand-written names by label."""
    names: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {label: [clean(n) for n in more] for label, more in names.items() if not label.startswith("_")}


def label_of(name: str) -> tuple[str, set[str]]:
    """A Unicode name as a label, and further names that follow from it.

    >>> label_of("flag: France")
    ('flag of france', {'france flag'})
    """
    name = name.lower()
    if name.startswith("flag: "):
        country = clean(name.removeprefix("flag: "))
        return f"flag of {country}", {f"{country} flag"}
    if name.startswith("keycap: "):
        key = name.removeprefix("keycap: ")
        return (f"number {key}" if key.isdigit() else f"keycap {clean(key) or key}"), set()
    return clean(name.replace(":", " ")) or name, set()


class Names:
    """Names and tags of emoji from emojibase and emojilib."""

    def __init__(self, packages: Path) -> None:
        """Read what `packages.fetch` unpacked into `packages`."""
        base = packages / "emojibase-data" / "en"
        self.entries: list[dict[str, Any]] = json.loads((base / "data.json").read_text(encoding="utf-8"))
        lib = packages / "emojilib" / "dist" / "emoji-en-US.json"
        self._keywords: dict[str, list[str]] = json.loads(lib.read_text(encoding="utf-8"))
        self._extra = extra_names()
        self._codes: dict[str, set[str]] = {}
        for source in _SHORTCODES:
            found = json.loads((base / "shortcodes" / f"{source}.json").read_text(encoding="utf-8"))
            for code, names in found.items():
                several = [names] if isinstance(names, str) else names
                self._codes.setdefault(hexcode(code), set()).update(several)

    def thing(self, entry: dict[str, Any]) -> Thing:
        """The thing that one emojibase entry describes."""
        label, names = label_of(entry["label"])
        flag = label.startswith("flag of")
        tags = {clean(tag) for tag in entry.get("tags", ())}
        emoji: str = entry["emoji"]
        for form in {emoji, f"{emoji}\ufe0f", emoji.replace("\ufe0f", "")}:
            for place, keyword in enumerate(self._keywords.get(form, ())):
                (tags if place else names).add(clean(keyword))
        for code in map(clean, self._codes.get(hexcode(entry["hexcode"]), ())):
            if not re.search(r"\d", code) and code.startswith("flag") == flag:
                names.add(code)
        extra = self._extra.get(label, [])
        names = {n for n in names | set(extra) if len(n) > 2 and _WORDING.match(n)} - {label}
        tags = {t for t in tags if 2 < len(t) < 24 and _WORDING.match(t)} - {label}
        if flag:
            tags, names = set(), {n for n in names if "flag" in n}
        return Thing(label, tuple(sorted(names)), tuple(sorted(tags)), entry.get("group"), tuple(extra))


def svg_icons(packages: Path, icon_set: str) -> Iterator[tuple[str, str]]:
    """Name and SVG text of every icon of one Iconify set."""
    path = packages / "@iconify-json" / icon_set / "icons.json"
    collection: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, icon in collection["icons"].items():
        if icon.get("hidden"):
            continue
        width, height = (icon.get(side, collection.get(side, 16)) for side in ("width", "height"))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        yield (
            name,
            (
                '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'width="{width}" height="{height}" viewBox="{box}">{icon["body"]}</svg>'
            ),
        )


def collect(packages: Path, *, silhouettes: bool = True) -> Bundle:
    """All pictures and the things they show.

    Args:
        packages: Folder that `packages.fetch` filled.
        silhouettes: Whether to take the game icons. Without them all data is MIT or Apache-2.0, and "icon"
            and "silhouette" mean nothing to the model.
    """
    names = Names(packages)
    things: dict[str, Thing] = {}
    slugs: dict[str, str] = {}
    for entry in names.entries:
        if entry.get("group") is None and "regional" in entry["label"]:
            continue  # the letters that flags are spelt with
        key = hexcode(entry["hexcode"])
        things[key] = names.thing(entry)
        slugs[slug(entry["label"])] = key
    pictures = list(_renders(packages, things))
    pictures += _emoji(packages, "noto", "cartoon", things, slugs)
    pictures += _emoji(packages, "fluent-emoji-flat", "flat", things, slugs)
    if silhouettes:
        for name, svg in svg_icons(packages, "game-icons"):
            if not _NAMELESS_ICON.search(name):
                key = f"game-icons:{name}"
                things[key] = Thing(clean(name.replace("-", " ")), group=words.SILHOUETTES)
                pictures.append(Picture("silhouette", key, svg))
    shown = {picture.thing for picture in pictures}
    return pictures, {key: thing for key, thing in things.items() if key in shown}


def _renders(packages: Path, things: dict[str, Thing]) -> Iterator[Picture]:
    for path in sorted((packages / "@lobehub" / "fluent-emoji-3d" / "assets").glob("*.webp")):
        key = hexcode(path.stem)
        if key in things and not any(tone in path.stem for tone in _SKIN_TONES):
            yield Picture("3d", key, path.read_bytes())


def _emoji(
    packages: Path, icon_set: str, style: Style, things: dict[str, Thing], slugs: dict[str, str]
) -> Iterator[Picture]:
    """The emoji of one Iconify set, without flags: every set draws them as the default style does."""
    for name, svg in svg_icons(packages, icon_set):
        key = slugs.get(name) or slugs.get(name.replace("flag-for-", "flag-"))
        if not key or _SKIN_TONE_ICON.search(name) or len(svg) > _LONGEST_SVG:
            continue
        if things[key].group != words.FLAGS:
            yield Picture(style, key, svg)


def save(bundle: Bundle, path: Path) -> None:
    """Write a bundle; about 18 MB with everything in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wb") as opened:
        pickle.dump(bundle, opened)


def load(path: Path) -> Bundle:
    """Read a bundle written by `save`. It is a pickle: load none that you did not make yourself."""
    with lzma.open(path) as opened:
        bundle: Bundle = pickle.load(opened)
    return bundle
