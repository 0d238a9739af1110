"""Taking InvokeAI's page out of its wheel."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from invokeai_saas.errors import SetupError
from invokeai_saas.portal.install import SCRIPT_TAG, add_script_tag, install_page, install_page_from_folder
from invokeai_saas.portal.page import read_page
from tests.portal.wheels import FONT, INDEX, PAGE, SCRIPT, make_wheel


def test_the_page_comes_out_of_the_wheel_and_nothing_else(tmp_path: Path) -> None:
    install_page(make_wheel(tmp_path), tmp_path / "share" / "page")
    page = read_page(tmp_path / "share" / "page")
    assert page is not None
    assert set(page.files) == set(PAGE)
    assert (page.root / "assets/inter-latin-wght-normal-abc.woff2").read_bytes() == FONT
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["page"]


def test_one_tag_is_added_and_the_rest_stays(tmp_path: Path) -> None:
    install_page(make_wheel(tmp_path), tmp_path / "page")
    html = (tmp_path / "page" / "index.html").read_text()
    assert html.count(SCRIPT_TAG) == 1
    assert html.replace(f"\n  {SCRIPT_TAG}", "") == INDEX
    assert html.index(SCRIPT_TAG) < html.index("<meta") < html.index('type="module"')


def test_compressed_twins_hold_the_same(tmp_path: Path) -> None:
    install_page(make_wheel(tmp_path), tmp_path / "page")
    twin = tmp_path / "page" / "assets" / "index-abc.js.gz"
    assert gzip.decompress(twin.read_bytes()).decode() == SCRIPT
    assert not (tmp_path / "page" / "assets" / "inter-latin-wght-normal-abc.woff2.gz").exists()
    assert not (tmp_path / "page" / "assets" / "images" / "logo.svg.gz").exists()  # it would not get smaller


def test_a_new_page_replaces_the_old_one_whole(tmp_path: Path) -> None:
    install_page(make_wheel(tmp_path), tmp_path / "page")
    newer = {"index.html": INDEX.replace("abc", "def").encode(), "assets/index-def.js": b"//"}
    install_page(make_wheel(tmp_path, newer), tmp_path / "page")
    page = read_page(tmp_path / "page")
    assert page is not None
    assert set(page.files) == set(newer)
    assert not (tmp_path / "page" / "assets" / "index-abc.js").exists()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"assets/index-abc.js": b"//"},
        {"index.html": b"<html><body></body></html>"},
        {**PAGE, "../../outside.txt": b"x"},
    ],
    ids=["empty", "no index", "no head", "outside"],
)
def test_a_wheel_without_a_page_of_ours_changes_nothing(tmp_path: Path, files: dict[str, bytes]) -> None:
    install_page(make_wheel(tmp_path), tmp_path / "share" / "page")
    (tmp_path / "other").mkdir()
    with pytest.raises(SetupError):
        install_page(make_wheel(tmp_path / "other", files), tmp_path / "share" / "page")
    page = read_page(tmp_path / "share" / "page")
    assert page is not None
    assert set(page.files) == set(PAGE)
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["page"]
    assert not list(tmp_path.rglob("outside.txt"))


@pytest.mark.parametrize("content", [None, b"not a zip file"])
def test_what_is_no_wheel_is_refused_with_a_remedy(tmp_path: Path, content: bytes | None) -> None:
    wheel = tmp_path / "invokeai.whl"
    if content is not None:
        wheel.write_bytes(content)
    with pytest.raises(SetupError) as caught:
        install_page(wheel, tmp_path / "page")
    assert "make install" in caught.value.remedy


def test_an_unpacked_page_does_as_well(tmp_path: Path) -> None:
    install_page(make_wheel(tmp_path), tmp_path / "from-wheel")
    for name, content in PAGE.items():
        (tmp_path / "dist" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dist" / name).write_bytes(content)
    install_page_from_folder(tmp_path / "dist", tmp_path / "from-folder")
    one, other = read_page(tmp_path / "from-wheel"), read_page(tmp_path / "from-folder")
    assert one is not None and other is not None
    assert one.files == other.files


def test_an_index_with_two_heads_is_not_guessed_at() -> None:
    with pytest.raises(SetupError):
        add_script_tag("<head></head><head></head>")
