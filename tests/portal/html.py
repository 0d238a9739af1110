"""A page as those who can't see it get it: its headings, landmarks, and what names each field."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

import httpx

_EMPTY = {"meta", "link", "img", "input", "br", "hr"}
_FIELDS = {"input", "select", "textarea", "progress"}


@dataclass
class Element:
    """A tag with what stands in it, in order."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    contents: list[Element | str] = field(default_factory=list)

    def all(self) -> list[Element]:
        """Itself, and all that is in it."""
        return [self, *(found for one in self.contents if isinstance(one, Element) for found in one.all())]

    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text() for one in self.contents)

    def words(self) -> str:
        return " ".join(self.text().split())

    def within(self, tag: str) -> bool:
        return self.tag == tag or bool(self.parent and self.parent.within(tag))


class Parsed(HTMLParser):
    """A page's elements. Tags that are not closed as they should be are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Element("", {}, None)
        self._here = self.root
        self.feed(html)
        assert self._here is self.root, f"{self._here.tag} is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._here)
        self._here.contents.append(made)
        if tag not in _EMPTY:
            self._here = made

    def handle_endtag(self, tag: str) -> None:
        assert self._here.tag == tag, f"{tag} closes {self._here.tag}"
        assert self._here.parent is not None
        self._here = self._here.parent

    def handle_data(self, data: str) -> None:
        self._here.contents.append(data)

    def all(self, *tags: str) -> list[Element]:
        return [one for one in self.root.all() if one.tag in tags]


def assert_own_page(answer: httpx.Response) -> None:
    """A page of ours: nothing in it that its policy forbids, and a name for everything that can be used."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "http://" not in answer.text and "https://" not in answer.text
    page = Parsed(answer.text)
    _assert_nothing_inline(page)
    _assert_structure(page)
    _assert_names(page)


def _assert_nothing_inline(page: Parsed) -> None:
    assert not page.all("style")
    assert all("src" in script.attributes and not script.words() for script in page.all("script"))
    for one in page.root.all():
        assert not [name for name in one.attributes if name == "style" or name.startswith("on")], one


def _assert_structure(page: Parsed) -> None:
    [document], [title] = page.all("html"), page.all("title")
    assert document.attributes["lang"] in ("en", "ko")
    assert len(title.words()) > len("· InvokeAI")
    assert len(page.all("main")) == 1
    levels = [int(one.tag[1]) for one in page.all("h1", "h2", "h3", "h4") if not one.within("dialog")]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    ids = [one.attributes["id"] for one in page.root.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)
    for one in page.root.all():
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set(one.attributes.get(name, "").split()) <= set(ids), (one.tag, one.attributes)
        if one.attributes.get("href", "").startswith("#"):
            assert one.attributes["href"][1:] in ids, one.attributes
    navigations = [one.attributes.get("aria-label") for one in page.all("nav")]
    assert all(navigations) and len(navigations) == len(set(navigations))


def _assert_names(page: Parsed) -> None:
    labels = page.all("label")
    labelled = {label.attributes.get("for") for label in labels}
    for one in page.all(*_FIELDS):
        named = one.within("label") or one.attributes.get("id") in labelled
        assert named or "aria-labelledby" in one.attributes or "aria-label" in one.attributes, one
    assert all("alt" in one.attributes for one in page.all("img"))
    filled_in = {"ask-yes"}  # by scripts
    for one in page.all("a", "button"):
        assert (
            one.words()
            or one.attributes.get("aria-label")
            or one.attributes.get("id") in filled_in | {"outcome-link"}
        ), one.attributes
    for one in page.all("section"):
        assert "aria-labelledby" in one.attributes
