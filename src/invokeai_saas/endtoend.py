"""One person's way through a deployment, from outside: log-in, a picture, what it cost. For any base URL.

`invokeai-saas e2e --url https://...` is what a deployment must pass before it goes on to people, and what can be asked
of one that runs. It uses the public API alone, and takes back what it made.
"""

from __future__ import annotations

import io
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image

from invokeai_saas.demo import DemoPerson, text_to_image
from invokeai_saas.errors import SetupError
from invokeai_saas.portal.install import SCRIPT_TAG

_REMEDY = "See the API's and the worker's logs of that deployment."
_VERSION = "/api/v1/app/version"


@dataclass(frozen=True)
class Visit:
    """What is tried.

    Parameters:
        url: where people reach the deployment, without a path.
        email, password: of an account that is there; both empty: one signs up anew.
        model: the name of a Stable Diffusion 1 model; any where None.
        seconds: to wait for the picture, a worker's start included.
    """

    url: str
    email: str = ""
    password: str = ""
    model: str | None = None
    seconds: float = 600.0


@dataclass(frozen=True)
class Report:
    """What came out.

    Parameters:
        size: width and height of the picture in pixels.
        seconds: metered on the GPU, by the usage report.
        credits: that the picture cost.
        waited: seconds from the enqueue to the end.
    """

    version: str
    model: str
    size: tuple[int, int]
    seconds: float
    credits: int
    waited: float


class Failed(SetupError):
    """The deployment does not do what it should."""

    def __init__(self, what: str) -> None:
        super().__init__(what, _REMEDY)


async def visit(asked: Visit, say: Callable[[str], None]) -> Report:
    """Goes the whole way.

    Parameters:
        say: told each step.

    Raises:
        SetupError: something is not as it should be; says what.
    """
    person = DemoPerson(asked.url, patience=asked.seconds)
    try:
        try:
            return await _visited(asked, person, say)
        except httpx.HTTPError as error:
            raise Failed(f"{asked.url} cannot be reached: {error!r}") from error
    finally:
        await person.close()


async def _visited(asked: Visit, person: DemoPerson, say: Callable[[str], None]) -> Report:
    version = (await person.call("GET", _VERSION))["version"]
    await _has_page(person)
    say(f"{asked.url} serves InvokeAI {version} and its page")
    if asked.email:
        await person.log_in(asked.email, asked.password)
        say(f"Logged in as {asked.email}")
    else:
        say(f"Signed up as {await person.sign_up()}")
    model = await person.model(asked.model)
    before, used_before = await person.available(), await _used(person)
    started = time.monotonic()
    item = await person.generate(model, "a red heart", secrets.randbelow(2**31), lambda *_: None)
    waited = time.monotonic() - started
    if item["status"] != "completed":
        raise Failed(f"The job {item['status']}: {item.get('error_message')}")
    name, png = await person.download(item)
    try:
        size = _looked_at(png, model)
        say(f"A picture of {size[0]} x {size[1]} pixels with {model['name']} after {waited:.1f} s")
        await _strangers_see_nothing(asked.url, name)
        seconds, charged = await _paid(person, before, used_before)
        say(f"Metered {seconds:.2f} s, charged {charged} credits")
    finally:
        await person.call("DELETE", f"/api/v1/images/i/{name}")
    return Report(version, str(model["name"]), size, seconds, charged, waited)


async def _has_page(person: DemoPerson) -> None:
    page = await person.call("GET", "/app")
    if SCRIPT_TAG.encode() not in page:
        raise Failed("The page is not InvokeAI's with our bar.")


def _looked_at(png: bytes, model: dict[str, Any]) -> tuple[int, int]:
    """The picture's size. It is whole, as large as was asked for, and not of one colour."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.load()
            size, extremes = image.size, image.convert("L").getextrema()
    except (OSError, ValueError) as error:
        raise Failed(f"The picture does not read: {error}") from error
    noise = text_to_image(model, "", 0)["nodes"]["noise"]
    if size != (noise["width"], noise["height"]):
        raise Failed(f"The picture has {size[0]} x {size[1]} pixels and not what was asked for.")
    if extremes[0] == extremes[1]:
        raise Failed("The picture is of one colour.")
    return size


async def _strangers_see_nothing(url: str, name: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as nobody:
        for path in (f"/api/v1/images/i/{name}", f"/api/v1/images/i/{name}/full"):
            status = (await nobody.get(path)).status_code
            if status != 401:
                raise Failed(f"{path} answers {status} to who has not logged in.")


async def _used(person: DemoPerson) -> tuple[float, int]:
    total = (await person.call("GET", "/api/v1/usage"))["total"]
    return float(total["gpu_seconds"]), int(total["credits"])


async def _paid(person: DemoPerson, before: int, used_before: tuple[float, int]) -> tuple[float, int]:
    """Seconds and credits of the one job, told alike by balance, history and usage.

    Another job of the same account meanwhile would be counted too: the account is to be the test's alone.
    """
    after = await person.available()
    newest = (await person.call("GET", "/api/v1/credits/history"))["items"][0]
    seconds_now, credits_now = await _used(person)
    seconds, charged = seconds_now - used_before[0], credits_now - used_before[1]
    if not charged == -newest["amount"] == before - after or charged < 1:
        raise Failed(
            f"The balance fell by {before - after} credits, history says {-newest['amount']}, usage {charged}."
        )
    if not re.search(r"\d", newest["description"]) or seconds <= 0:
        raise Failed(f"No seconds were metered: {newest['description']!r}, {seconds}.")
    return seconds, charged


async def run(asked: Visit, say: Callable[[str], None]) -> Report:
    """`visit`, after a check of what was asked."""
    if bool(asked.email) != bool(asked.password):
        raise SetupError("An address needs its password.", "Set E2E_EMAIL and E2E_PASSWORD, or neither.")
    if not re.match(r"https?://[^/]+$", asked.url):
        raise SetupError(f"{asked.url!r} is no base URL.", "Give it as https://host, without a path.")
    return await visit(asked, say)
