"""What a person does in the page, and what they see."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Response,
    TimeoutError,
    expect,
)

from tests.apps import PASSWORD

DESKTOP = (1280, 800)
WIDE = (1600, 1000)  # every panel of the canvas and the workflow editor beside each other
PHONE = (390, 844)
PATIENCE = 120_000  # ms; the page takes seconds to start on a busy machine
expect.set_options(timeout=PATIENCE)

# What the page asks for although it is not this person's to have: InvokeAI's own server answers the same to everybody
# who is no administrator. Anything else that is refused is a fault.
EXPECTED_REFUSALS = {
    (403, "GET", "/api/v1/app/runtime_config"): "the settings dialog asks it for everybody, and does without",
}

# A record as InvokeAI's probe writes it: the page checks all of it.
STARTER: dict[str, Any] = {
    "key": "515970ee-0000-4000-8000-000000000001",
    "hash": "blake3:fa2e9e9b98057f76dd6121737f3a63240e52f2b1b1938d44e0095aff144fb26f",
    "path": "models/shared/starter/weights",
    "file_size": 59225569,
    "name": "Starter",
    "description": None,
    "source": "models/shared/starter/weights",
    "source_type": "path",
    "source_api_response": None,
    "source_url": None,
    "cover_image": None,
    "type": "main",
    "trigger_phrases": None,
    "default_settings": {
        "vae": None,
        "vae_precision": None,
        "scheduler": "dpmpp_2m",
        "steps": 20,
        "cfg_scale": 6.0,
        "cfg_rescale_multiplier": None,
        "width": 256,
        "height": 256,
        "guidance": None,
        "cpu_only": None,
        "fp8_storage": None,
    },
    "format": "diffusers",
    "repo_variant": "",
    "prediction_type": "v_prediction",
    "variant": "normal",
    "base": "sd-1",
}


# What is to be seen only while a job runs is noted when it comes: whoever looks now and then may miss it.
WATCH = """
    const seen = (window.seen = {});
    new MutationObserver(() => {
        seen.progress ||= Boolean(document.querySelector("[data-testid=progress-image]")?.checkVisibility());
        const bar = document.querySelector("invokeai-saas-bar");
        seen.held ||= Number(bar?.dataset.reserved) > 0 && !bar.shadowRoot.querySelector(".held").hidden;
    }).observe(document, { subtree: true, childList: true, attributes: true });
"""


class Visitor:
    """Somebody with a browser of their own, and a note of every complaint of its console."""

    def __init__(self, context: BrowserContext, page: Page, url: str, shots: Path) -> None:
        context.set_default_timeout(PATIENCE)
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self.refusals: list[tuple[int, str, str]] = []  # status, method, path
        self.asked: list[str] = []  # addresses that the browser asked for, all its tabs together
        self._url = url
        self._shots = shots
        page.on("console", self._heard)
        page.on("pageerror", self._broke)
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("response", self._answered)

    @classmethod
    async def arrive(
        cls, browser: Browser, url: str, shots: Path, size: tuple[int, int] = DESKTOP, locale: str = "en-US"
    ) -> Visitor:
        """A visitor with a clean profile."""
        context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=locale)
        await context.add_init_script(WATCH)
        return cls(context, await context.new_page(), url, shots)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refusals.append((response.status, response.request.method, urlsplit(response.url).path))

    def forget(self) -> None:
        """Forgets the complaints so far: before log-in the page asks for fifty things that nobody may see."""
        self.complaints.clear()
        self.refusals.clear()

    def assert_content(self) -> None:
        """Nothing was refused and no error logged, but for what the page expects."""
        refused = [refusal for refusal in self.refusals if refusal not in EXPECTED_REFUSALS]
        expected = tuple(f"({self._url}{path})" for _, _, path in EXPECTED_REFUSALS)
        logged = [text for text in self.complaints if not text.endswith(expected)]
        assert not refused, refused
        assert not logged, logged

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def _broke(self, error: Error) -> None:
        self.complaints.append(f"uncaught: {error}")

    def renewals(self) -> int:
        """How often a new access token was asked for."""
        return sum(url.endswith("/auth/refresh") for url in self.asked)

    async def open(self, path: str = "/") -> None:
        await self.page.goto(f"{self._url}{path}")

    async def look(self, name: str) -> None:
        """Leaves a picture of what is seen under build/screenshots."""
        await self.page.screenshot(path=self._shots / f"{name}.png")

    async def sign_up(self, name: str) -> str:
        """Fills in our form, starting at it; answers the address, which nobody else has."""
        email = f"{name.lower()}-{uuid4().hex[:8]}@example.com"
        await self.page.get_by_label("E-mail").fill(email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("button", name="Create account").click()
        await self.page.wait_for_url("**/app")
        return email

    async def move_in(self, name: str) -> str:
        """Signs up and arrives in the studio."""
        await self.open("/signup")
        email = await self.sign_up(name)
        await self.settle_in()
        return email

    async def settle_in(self) -> None:
        """Waits for the studio, and puts away what it says on a first visit."""
        await self.prompt.wait_for()
        whats_new = self.page.get_by_role("button", name="Close", exact=True).first
        await whats_new.click()
        await whats_new.wait_for(state="hidden")

    async def invoke(self, prompt: str | None = None) -> None:
        """Queues a job; with this prompt, where the tab has one."""
        if prompt is not None:
            await self.prompt.fill(prompt)
        button = self.page.get_by_role("button", name="Invoke", exact=False).first
        await expect(button).to_be_enabled()
        await button.click()

    async def saw(self, what: str) -> None:
        """Waits until a job's "progress" has been seen, or credits "held" for it, since the page was opened."""
        await self.page.wait_for_function("what => window.seen[what]", arg=what)

    async def go_to(self, tab: str) -> None:
        """One of the tabs in the page's rail."""
        await self.page.get_by_test_id(tab).click()

    async def choose(self, item: str) -> None:
        """An item of the menu that is open. Menus are drawn while they are closed, too."""
        items = self.page.get_by_role("menuitem", name=item, exact=True)
        await items.filter(visible=True).first.click()

    @property
    def prompt(self) -> Locator:
        return self.page.locator("textarea[name=prompt]")

    @property
    def bar(self) -> Locator:
        """Our bar's link, which says aloud what it shows."""
        return self.page.locator("invokeai-saas-bar a.chip")

    @property
    def held(self) -> Locator:
        """What the bar says about credits that jobs have reserved."""
        return self.page.locator("invokeai-saas-bar .held")

    @property
    def notice(self) -> Locator:
        """What our script tells of refusals that the page has no words for."""
        return self.page.locator("invokeai-saas-notice [role=alert]")

    @property
    def pictures(self) -> Locator:
        """The gallery's tiles."""
        return self.page.locator("[data-item-id]")

    async def credits(self, figure: str = "available") -> int:
        """What the bar shows."""
        await self.bar.wait_for()
        text = await self.page.locator(f"invokeai-saas-bar .{figure}").text_content()
        return int((text or "").replace(",", ""))

    async def mark_both(self) -> None:
        """Marks the two pictures of the gallery.

        The page scrolls, and chooses what came last, at moments of its own: whoever sees that marks them once more.
        """
        marked = self.page.locator("[data-item-id][data-selected=true]")
        for _ in range(6):
            with suppress(TimeoutError):
                await self.pictures.first.click(timeout=PATIENCE / 6)
                await self.pictures.last.click(modifiers=["Shift"], timeout=PATIENCE / 6)
                await self.page.wait_for_timeout(1000)
                if await marked.count() == 2:
                    return
        await expect(marked).to_have_count(2)

    async def shown(self, picture: Locator) -> bool:
        """Whether a picture has loaded and has more than one colour."""
        return bool(
            await picture.evaluate(
                """async (image) => {
                    await image.decode();
                    const canvas = document.createElement("canvas");
                    canvas.width = canvas.height = 16;
                    const context = canvas.getContext("2d");
                    context.drawImage(image, 0, 0, 16, 16);
                    return new Set(new Uint32Array(context.getImageData(0, 0, 16, 16).data.buffer)).size > 1;
                }"""
            )
        )
