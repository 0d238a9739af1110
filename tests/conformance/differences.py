"""Where we answer otherwise than stock InvokeAI on purpose, and why."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple


class Seen(NamedTuple):
    """A difference between two answers.

    Parameters:
        step: the operation, and what is special about the call.
        place: "status", "media type", a field's path, or a field's path and " =" where values must agree.
        theirs, ours: statuses, types or values.
    """

    step: str
    place: str
    theirs: str
    ours: str

    def __str__(self) -> str:
        return f"{self.step}: {self.place}: {self.theirs} there, {self.ours} here"


class Intended(NamedTuple):
    """A line of the table below. All but `why` are patterns with `*`."""

    step: str
    place: str
    theirs: str
    ours: str
    why: str


def covers(intended: Intended, seen: Seen) -> bool:
    """Whether a difference is the one of a line."""
    patterns = [part.replace("[", "[[]") for part in intended[:4]]
    return all(fnmatchcase(part, pattern) for part, pattern in zip(seen, patterns, strict=True))


_UNKNOWN = "what nobody has and what is another's are one 404"
_QUERY = "parameters that are wrong are a 422, whatever is wrong with them"
_GRAPH = "a graph comes back as it was sent: defaults are the engine's to fill in"
_LANGUAGE = "no worker runs language models, whichever is named"
_PAST = "the mock engine of these tests keeps no account of how it went"

INTENDED = [
    Intended("*", "code", "nothing", "string", "errors carry a stable code beside InvokeAI's `detail`"),
    Intended("*", "detail[].input", "*", "nothing", "a refused value may be a password, or a megabyte"),
    Intended("*", "detail[].ctx", "object", "nothing", "the message says the same in words"),
    Intended(
        "*",
        "*d_at",
        "moment without zone",
        "moment with zone",
        "without one, a browser takes UTC for local time",
    ),
    # authentication
    Intended("PATCH /api/v1/auth/me (wrong present password)", "status", "400", "422", "it names the field"),
    Intended(
        "POST /api/v1/auth/setup", "status", "400", "403", "it is nobody's to do here, done already or not"
    ),
    Intended(
        "POST /api/v1/auth/logout (nobody)",
        "status",
        "401",
        "200",
        "a session that has ended can still be left",
    ),
    # app
    Intended(
        "GET /api/v1/app/app_deps", "*", "string", "nothing", "our server's parts are nobody's business"
    ),
    # gallery
    Intended("GET /api/v1/boards/ (neither all nor a page)", "status", "400", "422", _QUERY),
    Intended("GET /api/v1/gallery/item_names (no day)", "status", "200", "422", _QUERY),
    Intended("GET /api/v1/virtual_boards/by_date/* (no day)", "status", "200", "422", _QUERY),
    Intended("DELETE /api/v1/videos/i/{video_name} (unknown)", "status", "403", "404", _UNKNOWN),
    Intended("* /api/v1/images/i/{image_name} (unknown)", "status", "403", "404", _UNKNOWN),
    Intended("POST /api/v1/board_images/ (unknown picture)", "status", "403", "404", _UNKNOWN),
    Intended("DELETE /api/v1/board_images/ (unknown)", "status", "500", "404", _UNKNOWN),
    Intended(
        "DELETE /api/v1/images/intermediates",
        "status",
        "403",
        "200",
        "a person's own; there they are everybody's",
    ),
    # queue
    Intended("* /api/v1/queue/*", "*graph.nodes.blank.*", "*", "nothing", _GRAPH),
    Intended(
        "* /api/v1/queue/*", "*device", "string", "*", "which machine it was is not the person's to know"
    ),
    # models
    Intended(
        "GET /api/v2/models/ (unknown type)",
        "status",
        "422",
        "200",
        "there are none of that type, whatever it is",
    ),
    Intended("GET /api/v1/model_relationships/i/{model_key} (unknown)", "status", "200", "404", _UNKNOWN),
    Intended(
        "* /api/v2/models/i/{key} (unknown)",
        "feature",
        "nothing",
        "string",
        "the page can say which plan has it",
    ),
    Intended("* /api/v2/models/i/{key} (unknown)", "plans", "nothing", "array", "as above"),
    Intended(
        "GET /api/v2/models/install", "status", "403", "200", "a person's own; there they are everybody's"
    ),
    Intended("GET /api/v2/models/i/{key}/image (unknown)", "status", "500", "404", _UNKNOWN),
    # utilities
    Intended("POST /api/v1/utilities/expand-prompt", "status", "404", "403", _LANGUAGE),
    Intended("POST /api/v1/utilities/image-to-prompt", "status", "404", "403", _LANGUAGE),
    # library
    Intended(
        "* /api/v1/workflows/i/{workflow_id}/thumbnail",
        "",
        "null",
        "object",
        "as InvokeAI's document promises",
    ),
    Intended("GET /api/v1/*", "media type", "image/png", "image/webp", "thumbnails of a tenth of the size"),
    Intended("POST /api/v1/style_presets/ (bad data)", "status", "400", "422", "it names the field"),
    Intended(
        "GET /api/v1/style_presets/export",
        "status",
        "403",
        "200",
        "a person's own; there they are everybody's",
    ),
    Intended(
        "POST /api/v1/style_presets/import",
        "status",
        "403",
        "200",
        "a person's own; there they are everybody's",
    ),
    Intended(
        "GET /api/v1/recall/{queue_id}", "note", "string", "nothing", "there it says that nothing can be read"
    ),
    Intended(
        "GET /api/v1/recall/{queue_id}", "parameters", "nothing", "object", "what was sent can be read here"
    ),
]
# What depends on the engine that the tests run, and so is not always seen.
INCIDENTAL = [
    Intended("* /api/v1/queue/*", "*session.execution_graph.nodes.*", "object", "nothing", _PAST),
    Intended("* /api/v1/queue/*", "*session.indegree.*", "integer", "nothing", _PAST),
    Intended("* /api/v1/queue/*", "*session.prepared_iteration_paths.*", "array", "nothing", _PAST),
    Intended("* /api/v1/queue/*", "*session.results.*.output_meta", "null", "nothing", _PAST),
    Intended("GET /api/v1/images/i/{image_name}", "has_workflow =", "True", "False", _PAST),
    Intended("GET /api/v1/images/i/{image_name}/workflow", "graph", "string", "null", _PAST),
]

_ADMINISTRATORS = "InvokeAI keeps it for its administrator, who has everybody's; a person's own here"

# Served operations that the session leaves out.
UNTOLD = {
    "PUT /api/v2/models/convert/{key}": _ADMINISTRATORS,
    "GET /api/v2/models/hugging_face": "asks the model hub",
    "GET /api/v2/models/install/huggingface": "asks the model hub",
    "POST /api/v2/models/i/bulk_delete": _ADMINISTRATORS,
    "POST /api/v2/models/i/bulk_reidentify": _ADMINISTRATORS,
    "DELETE /api/v2/models/i/{key}/image": _ADMINISTRATORS,
    "PATCH /api/v2/models/i/{key}/image": _ADMINISTRATORS,
    "POST /api/v2/models/i/{key}/reidentify": _ADMINISTRATORS,
    "DELETE /api/v2/models/install": _ADMINISTRATORS,
    "POST /api/v2/models/install": _ADMINISTRATORS,
    "DELETE /api/v2/models/install/{id}": _ADMINISTRATORS,
    "GET /api/v2/models/install/{id}": _ADMINISTRATORS,
    "POST /api/v2/models/install/{id}/pause": _ADMINISTRATORS,
    "POST /api/v2/models/install/{id}/restart_failed": _ADMINISTRATORS,
    "POST /api/v2/models/install/{id}/restart_file": _ADMINISTRATORS,
    "POST /api/v2/models/install/{id}/resume": _ADMINISTRATORS,
    "GET /api/v2/models/starter_models": "its list is of InvokeAI's making; ours is empty",
    "DELETE /api/v1/model_relationships/": _ADMINISTRATORS,
    "POST /api/v1/model_relationships/": _ADMINISTRATORS,
}
