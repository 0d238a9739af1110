"""Runs the documented examples of `invokeai-py-client` against one server and prints what they saw, as JSON.

Runs in `.venv-client`: `python examples.py ADDRESS TOKEN`, an empty token for none. Nothing here knows which server it
speaks with: the address and the token are all that differs. Two kinds of examples:

- the README's own code blocks, taken out of the installed package's metadata and executed as they stand, but for
  the address and the token that `InvokeAIClient.from_url` is documented to take (`api_key`);
- the calls that its reference shows for boards, images, models, queue, workflows and events, one after the other.

What an answer holds that no two servers share (ids, names of pictures, times) is left out of what is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import invokeai_py_client
import requests
import socketio
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.quick import QuickClient
from invokeai_py_client.workflow import WorkflowDefinition
from PIL import Image

ADDRESS, TOKEN = sys.argv[1], sys.argv[2]
# The library's README names this file; its wheel ships the same one for QuickClient.
WORKFLOW = Path("data/workflows/sdxl-text-to-image.json")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{40,64}")

Example = Callable[[InvokeAIClient], Any]
_examples: dict[str, Example] = {}


def example(run: Example) -> Example:
    """Registers an example under its function's name."""
    _examples[run.__name__] = run
    return run


def connect() -> InvokeAIClient:
    return InvokeAIClient.from_url(ADDRESS, api_key=TOKEN or None)


def workflow(client: InvokeAIClient, steps: int = 2, side: int = 128) -> Any:
    """The text-to-image workflow of the package, made quick."""
    handle = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(str(WORKFLOW)))
    for entry in handle.list_inputs():
        field = handle.get_input_value(entry.input_index)
        if entry.field_name in ("width", "height"):
            field.value = side
        elif entry.field_name == "steps":
            field.value = steps
    return handle


async def with_events(client: InvokeAIClient) -> None:
    """Connects the client's events. The library sends its key with requests only, and a server with log-ins lets no
    socket in without one: its users connect the socket that it holds themselves, as here."""
    socket = socketio.AsyncClient()
    await socket.connect(
        ADDRESS,
        auth={"token": TOKEN} if TOKEN else None,
        socketio_path="/ws/socket.io",
        transports=["websocket"],
        wait_timeout=120,
    )
    client._sio, client._sio_connected = socket, True


def shape(value: Any) -> Any:
    """An answer without what no two servers share: keys of mappings, and the types of what they hold."""
    if isinstance(value, dict):
        return {key: shape(entry) for key, entry in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def plain(text: str) -> str:
    """Printed text without ids and names of pictures."""
    text = re.sub(r"\b[0-9a-f]{8}\b", "<id>", _UUID.sub("<id>", text))
    return text.replace("<id>.png", "<picture>")


def refusal(call: Callable[[], Any]) -> str:
    """How the library reports that the server refused."""
    try:
        return repr(call())
    except requests.HTTPError as error:
        return f"HTTPError {getattr(error.response, 'status_code', None)}"
    except Exception as error:
        return f"{type(error).__name__} {getattr(error, 'status_code', '')}".strip()


# The README ------------------------------------------------------------------------------------------------------


def readme_blocks() -> list[str]:
    text = metadata("invokeai-py-client").json["description"]
    return re.findall(r"```python\n(.*?)```", str(text), re.DOTALL)


def run_block(block: str, names: dict[str, Any]) -> str:
    """Executes one of the README's blocks; answers what it printed."""
    there = f'from_url("{ADDRESS}", api_key={TOKEN or None!r})'
    code = block.replace('from_url("http://localhost:9090")', there)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)
    return plain(printed.getvalue())


@example
def readme_inputs_and_outputs(_client: InvokeAIClient) -> list[str]:
    """Blocks 1 to 4: find the inputs, set them, wait, map outputs to pictures. The third assumes a submission."""
    blocks = readme_blocks()
    names: dict[str, Any] = {}
    said = [run_block(blocks[0], names), run_block(blocks[1], names)]
    names["wf"].submit_sync()
    return [*said, run_block(blocks[2], names), run_block(blocks[3], names)]


@example
def readme_minimal_text_to_image(_client: InvokeAIClient) -> str:
    """Block 5, alone."""
    return run_block(readme_blocks()[4], {})


# Boards and pictures -----------------------------------------------------------------------------------------------


def _source() -> Path:
    path = Path("source.png")
    Image.new("RGB", (96, 64), "teal").save(path)
    return path


@example
def boards(client: InvokeAIClient) -> dict[str, Any]:
    repo = client.board_repo
    made = repo.create_board("Landscapes")
    seen: dict[str, Any] = {
        "made": made.board_name,
        "listed": sorted(board.board_name for board in repo.list_boards()),
        "with_uncategorized": any(b.is_uncategorized() for b in repo.list_boards(include_uncategorized=True)),
        "by_id": repo.get_board_by_id(made.board_id).board_name,
        "by_name": [board.board_name for board in repo.get_boards_by_name("Landscapes")],
        "unknown": repo.get_board_by_id("no-such-board"),
        "renamed": getattr(repo.update_board(made.board_id, name="Seascapes"), "board_name", None),
        "empty": made.list_images(),
    }
    seen["deleted"] = repo.delete_board(made.board_id)
    seen["deleted_again"] = repo.delete_board(made.board_id)
    return seen


@example
def uploads(client: InvokeAIClient) -> dict[str, Any]:
    board = client.board_repo.create_board("inputs")
    from_file = board.upload_image(_source())
    from_bytes = board.upload_image_data(_source().read_bytes(), filename="again.png")
    loose = client.board_repo.get_uncategorized_handle().upload_image(_source())
    seen: dict[str, Any] = {
        "file": (
            from_file.width,
            from_file.height,
            from_file.image_category.value,
            from_file.is_intermediate,
        ),
        "bytes": (from_bytes.width, from_bytes.height),
        "listed": sorted(board.list_images()) == sorted([from_file.image_name, from_bytes.image_name]),
        "loose_is_uncategorized": loose.image_name
        in client.board_repo.get_uncategorized_handle().list_images(),
        "board_of_it": client.board_repo.get_image_current_board_id(from_file.image_name) == board.board_id,
        "not_a_picture": refusal(lambda: board.upload_image_data(b"not a picture", filename="x.png")),
    }
    full = Image.open(io.BytesIO(board.download_image(from_file.image_name)))
    small = Image.open(io.BytesIO(board.download_image(from_file.image_name, full_resolution=False)))
    seen["downloads"] = [(full.format, full.size), (small.format, small.size)]
    seen["starred"] = (board.star_image(from_file.image_name), board.unstar_image(from_file.image_name))
    seen["moved"] = client.board_repo.move_image_to_board_by_name(loose.image_name, "inputs")
    board.refresh()
    seen["count"] = board.board.image_count
    seen["removed"] = board.remove_image(loose.image_name)
    seen["deleted"] = board.delete_image(from_file.image_name)
    # Stock InvokeAI with log-ins says 403 of a picture that it does not know, so that the library raises; without
    # log-ins it says 404 as we do, which the library answers with None.
    gone = refusal(lambda: client.board_repo.get_image_by_name(from_file.image_name))
    seen["gone"] = gone in ("None", "HTTPError 403")
    seen["with_pictures"] = client.board_repo.delete_board(board.board_id, delete_images=True)
    return seen


# Models --------------------------------------------------------------------------------------------------------


@example
def models(client: InvokeAIClient) -> dict[str, Any]:
    listed = client.dnn_model_repo.list_models()
    (sdxl,) = [model for model in listed if model.base.value == "sdxl"]
    one = client.dnn_model_repo.get_model_by_key(sdxl.key)
    return {
        "type": sdxl.type.value,
        "format": sdxl.format.value,
        "same": (one.key, one.hash, one.name) == (sdxl.key, sdxl.hash, sdxl.name),
        "unknown": client.dnn_model_repo.get_model_by_key("no-such-model"),
        "resolved": [after.name == sdxl.name for _, after in workflow(client).sync_dnn_model(by_base=True)],
    }


@example
def models_are_not_ours_to_change(client: InvokeAIClient) -> dict[str, str]:
    """What an administrator may and a person may not."""
    repo = client.dnn_model_repo
    (sdxl,) = [model for model in repo.list_models() if model.base.value == "sdxl"]
    return {
        "install": refusal(lambda: repo.install_model("/nowhere")),
        "list_install_jobs": refusal(repo.list_install_jobs),
        "prune": refusal(repo.prune_install_jobs),
        "convert": refusal(lambda: repo.convert_model(sdxl.key)),
        "delete": refusal(lambda: repo.delete_model(sdxl.key)),
        "empty_cache": refusal(repo.empty_model_cache),
        "stats": refusal(repo.get_stats),
        "scan": refusal(lambda: repo.scan_folder("/nowhere")),
    }


# Workflows and the queue -----------------------------------------------------------------------------------------


def _told(item: dict[str, Any]) -> list[str]:
    """What a queue item says; `device` aside, which names the GPU of a server that has its own."""
    return sorted(key for key, value in item.items() if value is not None and key != "device")


def _result(handle: Any, item: dict[str, Any]) -> dict[str, Any]:
    outputs = handle.map_outputs_to_images(item)
    return {
        "status": item["status"],
        "outputs": [
            (out["node_type"], out["board_id"], len(out["image_names"]), out["tier"]) for out in outputs
        ],
        "item": _told(item),
        "session": sorted(item["session"]),
    }


@example
def workflow_sync(client: InvokeAIClient) -> dict[str, Any]:
    handle, states = workflow(client), []
    submission = handle.submit_sync()
    item = handle.wait_for_completion_sync(
        timeout=120, poll_interval=0.05, progress_callback=lambda seen: states.append(seen["status"])
    )
    return {
        "submission": shape(submission),
        "states_are_known": set(states) <= {"pending", "in_progress", "completed"},
        **_result(handle, item),
    }


@example
def workflow_to_a_board_and_download(client: InvokeAIClient) -> dict[str, Any]:
    board, handle = client.board_repo.create_board("Results"), workflow(client)
    for entry in handle.list_inputs():
        if entry.field_name == "board":
            handle.get_input_value(entry.input_index).value = board.board_id
    handle.submit_sync()
    item = handle.wait_for_completion_sync(timeout=120)
    (out,) = handle.map_outputs_to_images(item)
    (name,) = out["image_names"]
    picture = Image.open(io.BytesIO(board.download_image(name)))
    return {
        "board": out["board_id"] == board.board_id,
        "picture": (picture.format, picture.size),
        "listed": board.list_images() == [name],
        "record": shape(client._make_request("GET", f"/images/i/{name}").json()),
    }


async def _until_silent(heard: list[tuple[str, dict[str, Any]]], item: int) -> None:
    """Waits, for half a minute at most, for the last word on a job: it comes after the job is done."""
    for _ in range(30):
        before = len(heard)
        await asyncio.sleep(1)
        told = [payload.get("status") for _, payload in heard if payload.get("item_id") == item]
        if "completed" in told and len(heard) == before:
            return


@example
def workflow_async_with_events(client: InvokeAIClient) -> dict[str, Any]:
    heard: list[tuple[str, dict[str, Any]]] = []

    async def hear(event: str, payload: dict[str, Any]) -> None:
        heard.append((event, payload))

    async def run() -> tuple[Any, dict[str, Any]]:
        await with_events(client)
        client._sio.on("*", hear)
        handle = workflow(client)
        await handle.submit(subscribe_events=False)
        item = await handle.wait_for_completion(timeout=120)
        await _until_silent(heard, handle.item_id)
        await client.disconnect_socketio()
        return handle, item

    handle, item = asyncio.run(run())
    own = [(event, payload) for event, payload in heard if payload.get("item_id") == handle.item_id]
    names = [event for event, _ in heard]
    return {
        **_result(handle, item),
        "payloads": {event: sorted(payload) for event, payload in own},
        "announced": "batch_enqueued" in names,
        "progress": any(event == "invocation_progress" for event, _ in own),
        "last_status": own and own[-1][1].get("status"),
        "ends_with": own and own[-1][0],
        "decoded": sum(
            event == "invocation_complete" and payload["invocation"]["type"] == "l2i"
            for event, payload in own
        ),
    }


@example
def workflow_stream(client: InvokeAIClient) -> dict[str, Any]:
    async def run() -> list[dict[str, Any]]:
        await with_events(client)
        handle = workflow(client)
        found = [event async for event in handle.submit_sync_monitor_async()]
        await client.disconnect_socketio()
        return found

    events = asyncio.run(run())
    return {
        "first": sorted(events[0]),
        "kinds": sorted({event["event_type"] for event in events}),
        "last": events[-1]["event_type"],
    }


@example
def workflow_callbacks(client: InvokeAIClient) -> dict[str, bool]:
    """`submit(subscribe_events=True)` with its four callbacks."""
    called: set[str] = set()

    async def run() -> str:
        await with_events(client)
        handle = workflow(client)
        await handle.submit(
            subscribe_events=True,
            on_invocation_started=lambda _event: called.add("started"),
            on_invocation_progress=lambda _event: called.add("progress"),
            on_invocation_complete=lambda _event: called.add("complete"),
            on_invocation_error=lambda _event: called.add("error"),
        )
        status = str((await handle.wait_for_completion(timeout=120))["status"])
        await client.disconnect_socketio()
        return status

    status = asyncio.run(run())
    return {"completed": status == "completed", "errors": "error" in called}


@example
def events_without_a_token(client: InvokeAIClient) -> str:
    """The library's own `connect_socketio`, which sends none."""

    async def run() -> str:
        try:
            await client.connect_socketio()
        except RuntimeError:
            return "refused"
        await client.disconnect_socketio()
        return "connected"

    return asyncio.run(run())


@example
def cancelling(client: InvokeAIClient) -> dict[str, Any]:
    """A long job in front, so that the second waits and is cancelled while it does."""
    long, waiting = workflow(client, steps=400, side=512), workflow(client)
    long.submit_sync()
    waiting.submit_sync()
    queue = client.queue_repo.get_queue()
    deadline = time.monotonic() + 120
    while not queue.count_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    current = queue.get_current()
    seen: dict[str, Any] = {
        "busy": queue.is_busy(),
        "current_is_the_first": current is not None and current.item_id == long.item_id,
        "pending": [item.item_id == waiting.item_id for item in queue.list_pending()],
        "others": queue.cancel_all_except_current().canceled,
    }
    seen["cancelled"] = queue.get_item(long.item_id).cancel()
    seen["idle"] = queue.wait_until_idle(timeout=120, poll_interval=0.2)
    seen["states"] = [queue.get_item(h.item_id).refresh().status.value for h in (long, waiting)]
    seen["by_ids"] = len(queue.get_items_by_ids([long.item_id, waiting.item_id]))
    try:
        waiting.wait_for_completion_sync(timeout=10)
    except RuntimeError as error:
        seen["waiting_for_it"] = plain(str(error))
    return seen


@example
def queue(client: InvokeAIClient) -> dict[str, Any]:
    handle = client.queue_repo.get_queue("default")
    submitted = workflow(client)
    submitted.submit_sync()
    job = handle.get_item(submitted.item_id)
    done = job.wait_for_completion(timeout=120, poll_interval=0.2)
    status = handle.get_status()
    everything = handle.list_all()
    return {
        "done": done.status.value,
        "extra": _told(done.extra),
        "idle": (status.queue.in_progress, status.queue.pending),
        "processor": (status.processor.is_started, status.processor.is_processing),
        "listed": submitted.item_id in [item.item_id for item in everything],
        "unknown": handle.get_item(2**40),
        "pruned": handle.prune().deleted == len(everything),
        "after": len(handle.list_all()),
        "cleared": handle.clear().deleted,
    }


# The quick ones ---------------------------------------------------------------------------------------------------


@example
def quick(client: InvokeAIClient) -> dict[str, Any]:
    helper, board = QuickClient(client), client.board_repo.create_board("Quick")
    made = helper.generate_image_sdxl_t2i("a red heart", "blurry", 128, 128, steps=2, board_id=board.board_id)
    copy = helper.copy_image_to_board(made.image_name, board.board_id)
    return {
        "made": (made.width, made.height, made.image_category.value),
        "copied": copy.image_name != made.image_name,
        "on_the_board": len(board.list_images()),
    }


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    """A working directory with the workflow where the README looks for it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        WORKFLOW.parent.mkdir(parents=True)
        shipped = files(invokeai_py_client) / "quick" / "prebuilt-workflows" / WORKFLOW.name
        WORKFLOW.write_bytes(shipped.read_bytes())
        yield


def main() -> None:
    seen: dict[str, Any] = {}
    with _folder():
        for name in sys.argv[3:] or _examples:
            began, client = time.monotonic(), connect()
            try:
                seen[name] = _examples[name](client)
            except Exception as error:
                seen[name] = f"{type(error).__name__}: {plain(str(error))}"
            finally:
                client.close()
            sys.stderr.write(f"{name}: {time.monotonic() - began:.1f} s\n")
    json.dump(seen, sys.stdout, indent=1, default=str)


if __name__ == "__main__":
    main()
