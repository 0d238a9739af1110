"""`make demo`: a stranger's first picture over the public API, from nothing to a PNG."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import socketio
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import SetupError
from invokeai_saas.local import LocalService
from invokeai_saas.settings import Settings

_PATIENCE = 180  # seconds for the picture, an engine's cold start included
_Step = Callable[[float, str], None]


class _Stages:
    """Times each stage and says what is going on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        self._console.print(f"[bold cyan]•[/] {name}", highlight=False)
        try:
            yield
        finally:
            self.seconds.append((name, time.perf_counter() - started))

    def table(self) -> Table:
        table = Table(title="How long it took", title_justify="left")
        table.add_column("stage")
        table.add_column("seconds", justify="right")
        for name, seconds in self.seconds:
            table.add_row(name, f"{seconds:.1f}")
        table.add_row("[bold]total[/]", f"[bold]{sum(s for _, s in self.seconds):.1f}[/]")
        return table


def text_to_image(model: dict[str, Any], prompt: str, seed: int) -> dict[str, Any]:
    """InvokeAI's graph for a Stable Diffusion 1 model, with the model's own default settings."""
    defaults = model.get("default_settings") or {}
    width, height = defaults.get("width") or 512, defaults.get("height") or 512
    identity = {field: model[field] for field in ("key", "hash", "name", "base", "type")}
    hidden = {"is_intermediate": True}
    nodes: list[dict[str, Any]] = [
        {"id": "model", "type": "main_model_loader", "model": identity, **hidden},
        {"id": "positive", "type": "compel", "prompt": prompt, **hidden},
        {"id": "negative", "type": "compel", "prompt": "", **hidden},
        {
            "id": "noise",
            "type": "noise",
            "seed": seed,
            "width": width,
            "height": height,
            "use_cpu": True,
            **hidden,
        },
        {
            "id": "denoise",
            "type": "denoise_latents",
            "steps": defaults.get("steps") or 20,
            "cfg_scale": defaults.get("cfg_scale") or 6.0,
            "scheduler": defaults.get("scheduler") or "dpmpp_2m",
            **hidden,
        },
        {"id": "picture", "type": "l2i", "fp32": True, "is_intermediate": False},
    ]
    edges = [
        ("model", "unet", "denoise", "unet"),
        ("model", "clip", "positive", "clip"),
        ("model", "clip", "negative", "clip"),
        ("model", "vae", "picture", "vae"),
        ("positive", "conditioning", "denoise", "positive_conditioning"),
        ("negative", "conditioning", "denoise", "negative_conditioning"),
        ("noise", "noise", "denoise", "noise"),
        ("denoise", "latents", "picture", "latents"),
    ]
    return {
        "id": str(uuid4()),
        "nodes": {node["id"]: node for node in nodes},
        "edges": [
            {"source": {"node_id": a, "field": b}, "destination": {"node_id": c, "field": d}}
            for a, b, c, d in edges
        ],
    }


class DemoPerson:
    """A person who has signed up or logged in, speaking the public API.

    Parameters:
        base_url: where the service answers.
        patience: seconds for a picture.
    """

    def __init__(self, base_url: str, patience: float = _PATIENCE) -> None:
        self._base_url, self._patience = base_url, patience
        self._client = httpx.AsyncClient(base_url=base_url, timeout=30)
        self._token = ""

    async def close(self) -> None:
        await self._client.aclose()

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """One call; an error's message is the service's own.

        Raises:
            SetupError: the service refused.
        """
        answer = await self._client.request(method, path, **options)
        if answer.is_error:
            raise SetupError(
                f"{method} {path} answered {answer.status_code}: {answer.text[:300]}", "See the logs."
            )
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.content

    async def sign_up(self) -> str:
        """Creates an account of its own; answers the address."""
        email = f"demo-{uuid4().hex[:8]}@example.com"
        password = f"Aa1-{secrets.token_urlsafe(12)}"
        await self._enter("/api/v1/auth/sign-up", email, password)
        return email

    async def log_in(self, email: str, password: str) -> None:
        """Enters an account that is there."""
        await self._enter("/api/v1/auth/login", email, password)

    async def _enter(self, path: str, email: str, password: str) -> None:
        opened = await self.call("POST", path, json={"email": email, "password": password})
        self._token = opened["token"]
        self._client.headers["authorization"] = f"Bearer {self._token}"

    async def model(self, name: str | None = None) -> dict[str, Any]:
        """The first main model on offer, or the one of that name."""
        for model in (await self.call("GET", "/api/v2/models/"))["models"]:
            if model["type"] == "main" and model["base"] == "sd-1" and name in (None, model["name"]):
                return dict(model)
        raise SetupError(
            f"No Stable Diffusion 1 model {name or ''} is registered.",
            "Run `invokeai-saas admin models scan`.",
        )

    async def available(self) -> int:
        return int((await self.call("GET", "/api/v1/account/summary"))["available"])

    async def generate(self, model: dict[str, Any], prompt: str, seed: int, on_step: _Step) -> dict[str, Any]:
        """Queues one picture and follows its events to the end.

        Parameters:
            on_step: told the part done (0 to 1) and a word on it.

        Returns:
            The finished queue item, as InvokeAI's clients see it.
        """
        over = asyncio.Event()
        async with self._events(on_step, over):
            batch = {"graph": text_to_image(model, prompt, seed), "runs": 1}
            queued = await self.call("POST", "/api/v1/queue/default/enqueue_batch", json={"batch": batch})
            path = f"/api/v1/queue/default/i/{queued['item_ids'][0]}"
            deadline = time.monotonic() + self._patience
            while time.monotonic() < deadline:
                item: dict[str, Any] = await self.call("GET", path)
                if item["status"] in ("completed", "failed", "canceled"):
                    return item
                # Events say when to look again; the slow look is for events that got lost.
                over.clear()
                await _within(over.wait(), 5)
        raise SetupError(
            f"There was no picture within {self._patience:.0f} seconds.", "See the worker's log."
        )

    def _events(self, on_step: _Step, over: asyncio.Event) -> _Sockets:
        return _Sockets(self._base_url, self._token, on_step, over)

    async def download(self, item: dict[str, Any]) -> tuple[str, bytes]:
        """The picture of a finished item: its name and its PNG, by its signed path."""
        images = [r["image"]["image_name"] for r in item["session"]["results"].values() if "image" in r]
        record = await self.call("GET", f"/api/v1/images/i/{images[-1]}")
        return images[-1], await self.call("GET", record["image_url"])


class _Sockets:
    """The person's Socket.IO connection while a picture is made."""

    def __init__(self, base_url: str, token: str, on_step: _Step, over: asyncio.Event) -> None:
        self._base_url, self._token = base_url, token
        self._client = socketio.AsyncClient()
        self._client.on(
            "invocation_progress", lambda event: on_step(event["percentage"] or 0.0, event["message"])
        )
        self._client.on("queue_item_status_changed", lambda _event: over.set())

    async def __aenter__(self) -> None:
        await self._client.connect(
            self._base_url,
            auth={"token": self._token},
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            wait_timeout=30,
        )

    async def __aexit__(self, *_: object) -> None:
        await self._client.disconnect()


async def _within(work: Awaitable[Any], seconds: float) -> None:
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        return


def run_demo(settings: Settings, prompt: str, output: Path, console: Console) -> None:
    """Starts everything, makes one picture, writes it, prints what it cost, stops everything.

    Parameters:
        prompt: what to draw.
        output: the PNG to write.
    """
    stages = _Stages(console)
    with tempfile.TemporaryDirectory(prefix="invokeai-saas-demo-") as folder:
        port = free_port()
        local = settings.model_copy(
            update={"data_dir": Path(folder), "port": port, "public_url": f"http://127.0.0.1:{port}"}
        )
        service = LocalService(local, quiet=True, payments=False)
        try:
            with stages.stage("Starting the service"):
                service.start(lambda text: console.print(f"  {text}", highlight=False))
            asyncio.run(_make_picture(local.public_url, prompt, output, console, stages))
        finally:
            with stages.stage("Stopping the service"):
                service.stop()
    console.print(stages.table())


async def _make_picture(url: str, prompt: str, output: Path, console: Console, stages: _Stages) -> None:
    person = DemoPerson(url)
    try:
        with stages.stage("Signing up"):
            await person.sign_up()
            before = await person.available()
            model = await person.model()
        with stages.stage(f"Generating {prompt!r} with {model['name']}"):
            item = await _with_bar(person, model, prompt, console)
        if item["status"] != "completed":
            raise SetupError(
                f"The job {item['status']}: {item.get('error_message')}", "See the worker's log."
            )
        with stages.stage("Downloading the picture"):
            _, png = await person.download(item)
            await asyncio.to_thread(_write, output, png)
        usage = (await person.call("GET", "/api/v1/credits/history"))["items"][0]
        after = await person.available()
        console.print(f"\nPicture   {output} ({len(png):,} bytes)", highlight=False)
        console.print(f"Metered   {usage['description']}", highlight=False)
        console.print(f"Charged   {-usage['amount']} credits", highlight=False)
        console.print(f"Balance   {before} before, {after} after\n", highlight=False)
    finally:
        await person.close()


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


async def _with_bar(
    person: DemoPerson, model: dict[str, Any], prompt: str, console: Console
) -> dict[str, Any]:
    columns = (TextColumn("  {task.description:<24}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("waiting for a worker", total=1.0)

        def on_step(part: float, message: str) -> None:
            progress.update(task, completed=part, description=message[:24])

        item = await person.generate(model, prompt, 1, on_step)
        progress.update(task, completed=1.0, description=str(item["status"]))
        return item
