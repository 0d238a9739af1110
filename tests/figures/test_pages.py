"""The pages, as staff read them and as nobody else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import psycopg
import pytest

from tests.admin.desk import Desk, open_desk
from tests.apps import RunningApi
from tests.factories import insert
from tests.figures.books import Books
from tests.servers import TestDatabase


@pytest.fixture
async def desk(api: RunningApi, database: TestDatabase) -> Desk:
    return await open_desk(api, database)


def _a_day(database: TestDatabase) -> None:
    """A starter pays $25 and uses 1,000 credits of 5,000 in as many seconds, on a worker that is there for 4,000; a
    trial uses 250.
    """
    with psycopg.connect(database.owner) as connection:
        books = Books(connection)
        ada, bob = books.person(), books.person()
        books.subscribe(
            ada, "starter", "month", 2500, since=books.now
        )  # not a minute ago: the month may be as new
        books.use(ada, 1000)
        books.give(bob, 500, "trial")
        books.use(bob, 250)
        insert(
            connection,
            "gpu_worker_days",
            worker_id="w",
            day=datetime.now(UTC).date(),
            tier="basic",
            seconds=4000,
        )


def _cells(page: str, first: str) -> list[str]:
    """The row that begins with this cell."""
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
        cells = [
            re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        ]
        if cells and cells[0].startswith(first):
            return cells
    raise AssertionError(f"no row begins with {first}")


async def test_the_first_page_has_the_figures(desk: Desk, database: TestDatabase) -> None:
    _a_day(database)
    page = await desk.page("/admin")
    tiles = dict(re.findall(r"<li><span>(.*?)</span><strong>(.*?)</strong></li>", page))
    assert tiles["Recurring revenue a month"] == "$25"
    assert tiles["Payments this month, less refunds"] == "$25"
    assert tiles["Earned in 30 days, as credits were used or ran out"] == "$5.00"
    assert tiles["Paid for and not earned yet"] == "$20.00"
    assert tiles["GPUs in 30 days"] == "$0.58"  # 4,000 s of 0.526 an hour
    assert tiles["Active people: today, 7 and 30 days"] == "2 · 2 · 2"
    assert _cells(page, "basic") == ["basic", "2", "1,250", "0.3 h", "1.1 h", "31.2%", "$0.58"]
    assert _cells(page, "trial")[:3] == ["trial", "500", "250"]


async def test_charts_are_drawn_whole_and_told_in_words(desk: Desk, database: TestDatabase) -> None:
    _a_day(database)
    page = (await desk.get("/admin")).text
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(drawings) == 6
    for drawing in drawings:
        svg = ElementTree.fromstring(drawing)
        assert svg.attrib["role"] == "img"
        assert "highest" in svg.attrib["aria-label"]
        assert len(svg) in (12, 30, 48)
        assert all(bar.find("title") is not None for bar in svg)
    assert page.count("<details>") == len(drawings)
    assert " style=" not in page  # the policy would drop it
    assert "<script" not in page


async def test_margins_stand_beside_what_was_measured(desk: Desk, database: TestDatabase) -> None:
    _a_day(database)
    page = await desk.page("/admin/margins")
    assert _cells(page, "basic")[3:5] == ["2.9%", "–"]
    assert _cells(page, "high_performance")[3] == "5.6%"
    assert _cells(page, "dedicated")[3:5] == ["22.8%", "182.1%"]
    assert _cells(page, "starter") == [
        "starter", "month", "basic", "$0.00500", "$0.00476", "$0.00029", "93.9%", "3.1%", "90.6%",
    ]  # fmt: skip


async def test_a_utilisation_is_chosen(desk: Desk) -> None:
    page = await desk.page("/admin/margins?utilisation=5")
    assert _cells(page, "pro")[6].startswith("−")  # 5.6 % is needed
    for given in ("0", "101", "half", ""):
        answer = await desk.get("/admin/margins", params={"utilisation": given})
        assert answer.status_code == 422
        assert "utilisation" in answer.text


async def test_an_empty_service_has_figures_too(desk: Desk) -> None:
    assert "Nobody is on a plan." in await desk.page("/admin")
    assert "No credits were used." in await desk.page("/admin/margins")


@pytest.mark.parametrize("path", ["/admin", "/admin/margins"])
async def test_nobody_else_sees_them(api: RunningApi, path: str) -> None:
    ada = await api.person("ada@example.com")
    for somebody in (api.nobody(), ada):
        answer = await somebody.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin/login")


async def test_one_page_at_a_time_is_marked_in_the_bar(desk: Desk) -> None:
    for path in ("/admin", "/admin/margins", "/admin/people"):
        marked = re.findall(r'<a href="([^"]+)" aria-current="page">', await desk.page(path))
        assert marked == [path]
