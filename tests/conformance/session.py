"""A session of one person with InvokeAI's API, from log-in to log-out: the same calls for stock InvokeAI and for us.

A value that starts with `$` stands for what an earlier answer gave: `keep={"board": "board_id"}` keeps that field of
the answer as `$board`. `same` names the fields whose values, and not only types, must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.calls import PROMPT, WORKFLOW, Call, File, mp4, png
from tests.contract import BY_NAME

PERSON, NOBODY, STRANGER = (
    "person",
    "nobody",
    "stranger",
)  # with a token, without, with one that means nothing
UNKNOWN = "6f1a2c00-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Step:
    """One call.

    Parameters:
        name: the operation, as "METHOD path".
        path: values of the path's parameters.
        settled: wait for the queue to be empty first.
        note: what is special about it, for reports.
    """

    name: str
    path: Mapping[str, str] = field(default_factory=dict)
    call: Call = field(default_factory=Call)
    who: str = PERSON
    keep: Mapping[str, str] = field(default_factory=dict)
    same: tuple[str, ...] = ()
    settled: bool = False
    note: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} ({self.note})" if self.note else self.name

    @property
    def is_compared(self) -> bool:
        """Not while docs/contract.md says that the operation is not built yet."""
        return BY_NAME[self.name].answer != "501"

    @property
    def is_served(self) -> bool:
        """Values can agree from the day on which there is something to have values."""
        return BY_NAME[self.name].answer == "served"


def step(
    name: str,
    note: str = "",
    *,
    query: Mapping[str, Any] | None = None,
    json: Any = None,
    form: Mapping[str, Any] | None = None,
    files: Mapping[str, File] | None = None,
    who: str = PERSON,
    keep: Mapping[str, str] | None = None,
    same: str = "",
    settled: bool = False,
    **path: str,
) -> Step:
    method, _, rest = name.partition(" ")
    version = "v2" if rest.startswith(("models", "custom_nodes")) else "v1"
    call = Call(query or {}, json, form, files)
    full = f"{method} /api/{version}/{rest}"
    return Step(
        full, {"queue_id": "default"} | path, call, who, keep or {}, tuple(same.split()), settled, note
    )


def graph(*, size: int = 64) -> dict[str, Any]:
    """A picture without a model."""
    node = {"id": "blank", "type": "blank_image", "width": size, "height": size, "is_intermediate": False}
    return {"id": "g", "nodes": {"blank": node}, "edges": []}


def _batch(destination: str, **changes: Any) -> dict[str, Any]:
    batch = {"graph": graph(), "runs": 1, "origin": "workflows", "destination": destination} | changes
    return {"batch": batch, "prepend": False}


AUTHENTICATION = [
    step("GET auth/status", who=NOBODY, same="setup_required multiuser_enabled"),
    step("POST auth/login", json={"email": "$email", "password": "$password", "remember_me": False}, who=NOBODY,
         same="user.is_admin user.is_active"),
    step("POST auth/login", "wrong password", json={"email": "$email", "password": "Wrong-horse-7"}, who=NOBODY),
    step("POST auth/login", "no password", json={"email": "$email"}, who=NOBODY),
    step("POST auth/login", "a number for a word", json={"email": 5, "password": "x"}, who=NOBODY),
    step("GET auth/me", same="email is_admin is_active"),
    step("GET auth/me", "nobody", who=NOBODY),
    step("GET auth/me", "a token that is none", who=STRANGER),
    step("PATCH auth/me", json={"display_name": "Ada L."}, same="display_name"),
    step("PATCH auth/me", "wrong type", json={"display_name": 5}),
    step("PATCH auth/me", "wrong present password",
         json={"current_password": "Wrong-horse-7", "new_password": "Better-horse-8"}),
    step("GET auth/generate-password"),
    step("POST auth/media-cookie", same="success"),
    step("POST auth/setup", json={"email": "x@example.com", "password": "Correct-horse-7"}, who=NOBODY),
    step("GET auth/users"),
    step("POST auth/users", json={"email": "x@example.com", "password": "Correct-horse-7"}),
    step("GET auth/users/{user_id}", user_id=UNKNOWN),
    step("DELETE auth/users/{user_id}", user_id=UNKNOWN),
]  # fmt: skip
APPLICATION = [
    step("GET app/version", who=NOBODY, same="version"),
    step("GET app/app_deps"),
    step("GET app/patchmatch_status", same="."),
    step("GET app/generation_device_options"),
    step("GET app/external_providers/status"),
    step("GET app/external_providers/config"),
    step("GET app/runtime_config"),
    step("PATCH app/runtime_config", json={"max_queue_history": 10}),
    step("GET app/logging"),
    step("GET app/invocation_cache/status"),
    step("DELETE app/invocation_cache"),
    step("PUT app/invocation_cache/disable"),
    step("GET image_moves/status"),
    step("GET app/app_deps", "nobody", who=NOBODY),
]
BOARDS = [
    step("POST boards/", query={"board_name": "Hearts"}, keep={"board": "board_id"},
         same="board_name archived board_visibility image_count"),
    step("POST boards/", "another", query={"board_name": "More"}, keep={"other": "board_id"}),
    step("POST boards/", "no name"),
    step("POST boards/", "a name too long", query={"board_name": "x" * 301}),
    step("GET boards/", "all", query={"all": True}),
    step("GET boards/", "a page", query={"offset": 0, "limit": 10}, same="total offset limit"),
    step("GET boards/", "neither all nor a page"),
    step("GET boards/", "unknown order", query={"all": True, "order_by": "luck"}),
    step("GET boards/{board_id}", board_id="$board", same="board_name"),
    step("GET boards/{board_id}", "unknown", board_id=UNKNOWN),
    step("GET boards/{board_id}", "nobody", board_id="$board", who=NOBODY),
    step("PATCH boards/{board_id}", board_id="$board", json={"board_name": "Red", "archived": True},
         same="board_name archived"),
    step("PATCH boards/{board_id}", "unknown", board_id=UNKNOWN, json={"board_name": "Red"}),
    step("PATCH boards/{board_id}", "unknown field", board_id="$board", json={"colour": "red"}),
    step("PATCH boards/{board_id}", "wrong type", board_id="$board", json={"archived": "perhaps"}),
    step("GET boards/{board_id}/image_names", "none", board_id="$board", same="."),
    step("GET boards/{board_id}/image_names", "unknown", board_id=UNKNOWN),
]  # fmt: skip
QUEUE = [
    step("GET queue/{queue_id}/status", "idle"),
    step("GET queue/{queue_id}/current", "none", same="."),
    step("GET queue/{queue_id}/next", "none", same="."),
    step("POST queue/{queue_id}/enqueue_batch", json=_batch("canvas"), same="enqueued requested priority queue_id",
         keep={"item": "item_ids.0", "batch": "batch.batch_id"}),
    step("POST queue/{queue_id}/enqueue_batch", "no graph", json={"batch": {"runs": 1}}),
    step("POST queue/{queue_id}/enqueue_batch", "no such node", json=_batch(
        "canvas", graph={"id": "g", "nodes": {"a": {"id": "a", "type": "no_such_node"}}, "edges": []})),
    step("POST queue/{queue_id}/enqueue_batch", "zipped lists of two lengths", json=_batch("canvas", data=[[
        {"node_path": "blank", "field_name": "width", "items": [64, 72]},
        {"node_path": "blank", "field_name": "height", "items": [64]}]])),
    step("POST queue/{queue_id}/enqueue_batch", "no runs", json=_batch("canvas", runs=0)),
    step("POST queue/{queue_id}/enqueue_batch", "nobody", json=_batch("canvas"), who=NOBODY),
    step("GET queue/{queue_id}/i/{item_id}", item_id="$item", settled=True,
         same="status priority queue_id destination origin"),
    step("GET queue/{queue_id}/i/{item_id}", "unknown", item_id="123456"),
    step("GET queue/{queue_id}/i/{item_id}", "no number", item_id="x"),
    step("GET queue/{queue_id}/status", "one done", same="queue.completed queue.total"),
    step("GET queue/{queue_id}/list_all", same="0.status"),
    step("GET queue/{queue_id}/list_all", "of a destination", query={"destination": "nowhere"}, same="."),
    step("GET queue/{queue_id}/item_ids", same="total_count"),
    step("GET queue/{queue_id}/item_ids", "unknown order", query={"order_dir": "UP"}),
    step("POST queue/{queue_id}/items_by_ids", json={"item_ids": ["$item"]}),
    step("POST queue/{queue_id}/items_by_ids", "unknown", json={"item_ids": [123456]}, same="."),
    step("POST queue/{queue_id}/items_by_ids", "wrong type", json={"item_ids": "all"}),
    step("POST queue/{queue_id}/item_summaries_by_ids", json={"item_ids": ["$item"]}),
    step("GET queue/{queue_id}/b/{batch_id}/status", batch_id="$batch", same="completed total destination"),
    step("GET queue/{queue_id}/b/{batch_id}/status", "unknown", batch_id=UNKNOWN),
    step("GET queue/{queue_id}/counts_by_destination", query={"destination": "canvas"}, same="completed total"),
    step("GET queue/{queue_id}/counts_by_destination", "none named"),
    step("PUT queue/{queue_id}/i/{item_id}/cancel", "ended already", item_id="$item", same="status"),
    step("PUT queue/{queue_id}/i/{item_id}/cancel", "unknown", item_id="123456"),
    step("PUT queue/{queue_id}/cancel_all_except_current", same="canceled"),
    step("PUT queue/{queue_id}/cancel_by_destination", query={"destination": "nowhere"}, same="canceled"),
    step("PUT queue/{queue_id}/cancel_by_batch_ids", json={"batch_ids": [UNKNOWN]}, same="canceled"),
    step("PUT queue/{queue_id}/retry_items_by_id", "not failed", json=["$item"]),
    step("PUT queue/{queue_id}/delete_all_except_current", same="deleted"),
    step("DELETE queue/{queue_id}/d/{destination}", destination="nowhere", same="deleted"),
    step("PUT queue/{queue_id}/processor/pause"),
    step("PUT queue/{queue_id}/processor/resume"),
]  # fmt: skip
_GENERAL = {"categories": ["general"], "is_intermediate": False}
IMAGES = [
    step("GET images/", query=_GENERAL, keep={"image": "items.0.image_name"}, same="total offset limit"),
    step("GET images/", "beyond the end", query={"offset": 100}, same="items offset"),
    step("GET images/", "before the start", query={"offset": -1}),
    step("GET images/", "unknown category", query={"categories": ["luck"]}),
    step("GET images/", "unknown board", query={"board_id": UNKNOWN}),
    step("GET images/names", query=_GENERAL, same="total_count starred_count"),
    step("GET gallery/item_names", query=_GENERAL, same="total_count starred_count"),
    step("GET gallery/item_names", "a day without", query={"created_date": "2001-01-01"}, same="."),
    step("GET gallery/item_names", "no day", query={"created_date": "someday"}),
    step("GET gallery/items/", query=_GENERAL, same="total"),
    step("GET gallery/items/names", query=_GENERAL, same="total_count"),
    step("GET images/i/{image_name}", image_name="$image",
         same="width height image_origin image_category starred is_intermediate has_workflow image_name"),
    step("GET images/i/{image_name}", "unknown", image_name=f"{UNKNOWN}.png"),
    step("GET images/i/{image_name}", "nobody", image_name="$image", who=NOBODY),
    step("GET images/i/{image_name}/urls", image_name="$image"),
    step("GET images/i/{image_name}/urls", "unknown", image_name=f"{UNKNOWN}.png"),
    step("GET images/i/{image_name}/metadata", image_name="$image"),
    step("GET images/i/{image_name}/metadata", "unknown", image_name=f"{UNKNOWN}.png"),
    step("GET images/i/{image_name}/workflow", image_name="$image"),
    step("GET images/i/{image_name}/full", image_name="$image"),
    step("GET images/i/{image_name}/full", "unknown", image_name=f"{UNKNOWN}.png"),
    step("GET images/i/{image_name}/full", "nobody", image_name="$image", who=NOBODY),
    step("HEAD images/i/{image_name}/full", image_name="$image"),
    step("GET images/i/{image_name}/thumbnail", image_name="$image"),
    step("PATCH images/i/{image_name}", image_name="$image", json={"starred": True, "image_category": "user"},
         same="starred image_category"),
    step("PATCH images/i/{image_name}", "unknown", image_name=f"{UNKNOWN}.png", json={"starred": True}),
    step("PATCH images/i/{image_name}", "wrong type", image_name="$image", json={"starred": "perhaps"}),
    step("POST images/unstar", json={"image_names": ["$image"]}, same="unstarred_images"),
    step("POST images/star", json={"image_names": ["$image"]}, same="starred_images affected_boards"),
    step("POST images/star", "unknown", json={"image_names": [f"{UNKNOWN}.png"]}),
    step("POST images/star", "none", json={"image_names": []}),
    step("POST images/star", "no list", json={}),
    step("POST images/images_by_names", json={"image_names": ["$image", f"{UNKNOWN}.png"]}),
    step("GET images/intermediates", same="."),
    step("DELETE images/intermediates"),
    step("POST board_images/", json={"board_id": "$board", "image_name": "$image"}, same="added_images"),
    step("POST board_images/", "unknown board", json={"board_id": UNKNOWN, "image_name": "$image"}),
    step("POST board_images/", "unknown picture", json={"board_id": "$board", "image_name": f"{UNKNOWN}.png"}),
    step("GET boards/{board_id}", "with a picture", board_id="$board",
         same="image_count asset_count cover_image_name"),
    step("GET boards/{board_id}/image_names", board_id="$board", same="."),
    step("DELETE board_images/", json={"image_name": "$image"}, same="removed_images"),
    step("DELETE board_images/", "unknown", json={"image_name": f"{UNKNOWN}.png"}),
    step("POST board_images/batch", json={"board_id": "$board", "image_names": ["$image"]}, same="added_images"),
    step("POST board_images/batch", "unknown picture",
         json={"board_id": "$board", "image_names": [f"{UNKNOWN}.png"]}),
    step("POST board_images/batch/delete", json={"image_names": ["$image"]}, same="removed_images"),
    step("POST board_images/batch/delete", "no list", json={"image_names": "all"}),
    step("GET virtual_boards/by_date", keep={"day": "0.date"}, same="0.image_count"),
    step("GET virtual_boards/by_date/{date}/image_names", date="$day", same="total_count"),
    step("GET virtual_boards/by_date/{date}/item_names", date="$day", same="total_count"),
    step("GET virtual_boards/by_date/{date}/image_names", "no day", date="someday"),
]  # fmt: skip
CLIENT_STATE = [
    step("GET client_state/{queue_id}/get_by_key", "nothing kept", query={"key": "none"}, same="."),
    step("POST client_state/{queue_id}/set_by_key", query={"key": "colour"}, json="red", same="."),
    step("GET client_state/{queue_id}/get_by_key", query={"key": "colour"}, same="."),
    step("GET client_state/{queue_id}/get_keys_by_prefix", query={"prefix": "col"}, same="."),
    step("POST client_state/{queue_id}/delete_by_key", query={"key": "colour"}, same="."),
    step("POST client_state/{queue_id}/delete_by_key", "again", query={"key": "colour"}, same="."),
    step("GET client_state/{queue_id}/get_by_key", "no key"),
    step("GET client_state/{queue_id}/get_by_key", "nobody", query={"key": "colour"}, who=NOBODY),
    step("POST client_state/{queue_id}/delete", same="."),
]
MODELS = [
    step("GET models/", same="models"),
    step("GET models/", "of a base", query={"base_models": ["sdxl"], "model_type": "main"}, same="models"),
    step("GET models/", "unknown type", query={"model_type": "luck"}),
    step("GET models/", "unknown order", query={"order_by": "luck"}),
    step("GET models/i/{key}", "unknown", key=UNKNOWN),
    step("GET models/i/{key}/image", "unknown", key=UNKNOWN),
    step("GET models/get_by_attrs", "unknown", query={"name": "x", "type": "main", "base": "sd-1"}),
    step("GET models/get_by_attrs", "none named"),
    step("GET models/get_by_hash", "unknown", query={"hash": "blake3:0"}),
    step("GET models/missing", same="."),
    step("PATCH models/i/{key}", "unknown", key=UNKNOWN, json={"name": "x"}),
    step("DELETE models/i/{key}", "unknown", key=UNKNOWN),
    step("GET models/install"),
    step("GET models/stats"),
    step("GET models/sync/orphaned"),
    step("POST models/empty_model_cache"),
    step("GET model_relationships/i/{model_key}", "unknown", model_key=UNKNOWN),
    step("POST model_relationships/batch", json={"model_keys": [UNKNOWN]}),
    step("POST model_relationships/batch", "no list", json={}),
]
LIBRARY = [
    step("GET workflows/", query={"page": 0, "per_page": 10, "categories": ["user"]}, same="total page per_page"),
    step("POST workflows/", json={"workflow": WORKFLOW}, keep={"workflow": "workflow_id"}, same="name"),
    step("POST workflows/", "no name", json={"workflow": {}}),
    step("GET workflows/i/{workflow_id}", workflow_id="$workflow", same="name workflow.tags"),
    step("GET workflows/i/{workflow_id}", "unknown", workflow_id=UNKNOWN),
    step("PATCH workflows/i/{workflow_id}", workflow_id="$workflow",
         json={"workflow": WORKFLOW | {"id": "$workflow", "name": "Renamed"}}, same="name"),
    step("PUT workflows/i/{workflow_id}/opened_at", workflow_id="$workflow"),
    step("PATCH workflows/i/{workflow_id}/is_public", workflow_id="$workflow", json={"is_public": False}),
    step("PUT workflows/i/{workflow_id}/thumbnail", workflow_id="$workflow", files={"image": png()}),
    step("GET workflows/i/{workflow_id}/thumbnail", workflow_id="$workflow"),
    step("DELETE workflows/i/{workflow_id}/thumbnail", workflow_id="$workflow"),
    step("GET workflows/", "one kept", query={"page": 0, "per_page": 10, "categories": ["user"]}, same="total"),
    step("GET workflows/tags", query={"categories": ["user"]}, same="."),
    step("GET workflows/counts_by_tag", query={"tags": ["hearts"], "categories": ["user"]}, same="."),
    step("GET workflows/counts_by_category", query={"categories": ["user"]}, same="."),
    step("GET workflows/counts_by_category", "unknown category", query={"categories": ["luck"]}),
    step("DELETE workflows/i/{workflow_id}", workflow_id="$workflow"),
    step("DELETE workflows/i/{workflow_id}", "unknown", workflow_id=UNKNOWN),
    step("GET style_presets/"),
    step("POST style_presets/", form={"data": '{"name": "Red", "positive_prompt": "{prompt}, red",'
         ' "negative_prompt": "", "type": "user"}'}, keep={"preset": "id"}, same="name preset_data type"),
    step("POST style_presets/", "bad data", form={"data": "{}"}),
    step("GET style_presets/i/{style_preset_id}", style_preset_id="$preset", same="name"),
    step("GET style_presets/i/{style_preset_id}", "unknown", style_preset_id=UNKNOWN),
    step("PATCH style_presets/i/{style_preset_id}", style_preset_id="$preset", files={"image": png()},
         form={"data": '{"name": "Redder", "positive_prompt": "", "negative_prompt": "", "type": "user"}'},
         same="name"),
    step("GET style_presets/i/{style_preset_id}/image", style_preset_id="$preset"),
    step("GET style_presets/export"),
    step("POST style_presets/import", files={"file": ("a.csv", b"name,prompt,negative_prompt\nA,b,c\n", "text/csv")}),
    step("DELETE style_presets/i/{style_preset_id}", style_preset_id="$preset"),
    step("GET system_prompts/"),
    step("POST system_prompts/", json=PROMPT, keep={"prompt": "id"}, same="name content"),
    step("POST system_prompts/", "no content", json={"name": "x"}),
    step("GET system_prompts/i/{system_prompt_id}", system_prompt_id="$prompt", same="name content"),
    step("GET system_prompts/i/{system_prompt_id}", "unknown", system_prompt_id=UNKNOWN),
    step("PATCH system_prompts/i/{system_prompt_id}", system_prompt_id="$prompt", json={"content": "Other."},
         same="name content"),
    step("DELETE system_prompts/i/{system_prompt_id}", system_prompt_id="$prompt"),
    step("POST recall/{queue_id}", json={"positive_prompt": "a heart", "steps": 5}),
    step("GET recall/{queue_id}"),
    step("POST recall/{queue_id}", "wrong type", json={"steps": "many"}),
]  # fmt: skip
UTILITIES = [
    step("POST utilities/dynamicprompts", json={"prompt": "a {red|green} heart"}, same="prompts error"),
    step("POST utilities/dynamicprompts", "bad syntax", json={"prompt": "a {red|"}, same="prompts"),
    step("POST utilities/dynamicprompts", "no prompt", json={}),
    step("POST utilities/dynamicprompts", "too many", json={"prompt": "a", "max_prompts": 10_001}),
    step("GET utilities/fonts"),
    step("POST utilities/expand-prompt", json={"prompt": "a heart", "model_key": UNKNOWN}),
    step("POST utilities/image-to-prompt", json={"image_name": f"{UNKNOWN}.png", "model_key": UNKNOWN}),
]
UPLOADS = [
    step("POST images/upload", query={"image_category": "user", "is_intermediate": False}, files={"file": png()},
         keep={"uploaded": "image_name"}, same="width height image_category image_origin"),
    step("POST images/upload", "no picture", query={"image_category": "user", "is_intermediate": False},
         files={"file": ("a.png", b"not a picture", "image/png")}),
    step("POST images/upload", "a text", query={"image_category": "user", "is_intermediate": False},
         files={"file": ("a.txt", b"text", "text/plain")}),
    step("POST images/upload", "no category", files={"file": png()}),
    step("POST images/upload", "unknown board", files={"file": png()},
         query={"image_category": "user", "is_intermediate": False, "board_id": UNKNOWN}),
    step("POST images/", json={"width": 64, "height": 64}),
    step("POST images/download", json={"image_names": ["$image"]}),
    step("POST images/download", "none", json={"image_names": []}),
    step("GET images/download/{bulk_download_item_name}", "unknown", bulk_download_item_name=f"{UNKNOWN}.zip"),
]  # fmt: skip
VIDEOS = [
    step("GET videos/", "none", same="total offset limit"),
    step("GET videos/names", "none", same="total_count"),
    step("POST videos/upload", query={"video_category": "user", "is_intermediate": False}, files={"file": mp4()},
         keep={"video": "video_name"}, same="width height video_category video_origin duration fps"),
    step("POST videos/upload", "no video", query={"video_category": "user", "is_intermediate": False},
         files={"file": ("a.mp4", b"not a video", "video/mp4")}),
    step("GET videos/i/{video_name}", video_name="$video", same="starred is_intermediate"),
    step("GET videos/i/{video_name}", "unknown", video_name=f"{UNKNOWN}.mp4"),
    step("GET videos/i/{video_name}/urls", video_name="$video"),
    step("GET videos/i/{video_name}/metadata", video_name="$video"),
    step("GET videos/i/{video_name}/workflow", video_name="$video"),
    step("GET videos/i/{video_name}/full", video_name="$video"),
    step("HEAD videos/i/{video_name}/full", video_name="$video"),
    step("GET videos/i/{video_name}/thumbnail", video_name="$video"),
    step("PATCH videos/i/{video_name}", video_name="$video", json={"starred": True}, same="starred"),
    step("POST videos/unstar", json={"video_names": ["$video"]}, same="unstarred_videos"),
    step("POST videos/star", json={"video_names": ["$video"]}, same="starred_videos"),
    step("POST videos/board", json={"board_id": "$board", "video_name": "$video"}, same="added_videos"),
    step("DELETE videos/board", json={"video_name": "$video"}, same="removed_videos"),
    step("GET videos/", "one kept", same="total"),
    step("GET videos/names", "one kept", same="total_count"),
    step("POST videos/delete", json={"video_names": ["$video"]}, same="deleted_videos"),
    step("DELETE videos/i/{video_name}", "unknown", video_name=f"{UNKNOWN}.mp4"),
    step("DELETE videos/uncategorized"),
]  # fmt: skip
END = [
    step("DELETE queue/{queue_id}/i/{item_id}", item_id="$item"),
    step("DELETE queue/{queue_id}/i/{item_id}", "again", item_id="$item"),
    step("PUT queue/{queue_id}/prune", same="deleted"),
    step("PUT queue/{queue_id}/clear", same="deleted"),
    step("POST images/delete", "unknown", json={"image_names": [f"{UNKNOWN}.png"]}),
    step("POST images/delete", json={"image_names": ["$image"]}, same="deleted_images"),
    step("DELETE images/i/{image_name}", "unknown", image_name=f"{UNKNOWN}.png"),
    step("DELETE images/uncategorized"),
    step("DELETE boards/{board_id}", board_id="$board", same="deleted_images"),
    step("DELETE boards/{board_id}", "with its pictures", board_id="$other", query={"include_images": True}),
    step("DELETE boards/{board_id}", "unknown", board_id=UNKNOWN),
    step("POST auth/logout", same="success"),
    step("POST auth/logout", "nobody", who=NOBODY),
]
SESSION = [
    *AUTHENTICATION, *APPLICATION, *BOARDS, *QUEUE, *IMAGES, *CLIENT_STATE, *MODELS, *LIBRARY, *UTILITIES, *UPLOADS,
    *VIDEOS, *END,
]  # fmt: skip
