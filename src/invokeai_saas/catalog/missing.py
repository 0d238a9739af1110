"""Models whose files have gone from the object store: marked, and unmarked when they are back.

They stay on the list: workflows and pictures name them, and InvokeAI's page leaves them out of its choices by itself.
"""

from __future__ import annotations

import threading

import psycopg
import structlog

from invokeai_saas.catalog.installs.claims import InstallClaims
from invokeai_saas.errors import NotFound, Unavailable
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore

log = structlog.get_logger(__name__)

_PAGE = 100


class MissingModels:
    """Looks at every model that the object store holds."""

    def __init__(self, settings: Settings, objects: ObjectStore) -> None:
        self._claims = InstallClaims(settings.database_worker_url.get_secret_value())
        self._objects = objects
        self._round: threading.Thread | None = None

    def begin(self) -> None:
        """Starts a round in a thread of its own, unless the last one still runs: the scheduler must not wait."""
        if self._round is None or not self._round.is_alive():
            self._round = threading.Thread(target=self._run, name="missing-models", daemon=True)
            self._round.start()

    def _run(self) -> None:
        try:
            self.look()
        except (Unavailable, psycopg.Error) as error:
            log.warning("missing_models_not_looked_for", error=repr(error))

    def look(self) -> None:
        """One round. Raises Unavailable when the store is away: then nothing is known to be missing."""
        after = ""
        while rows := self._claims.file_lists(after, _PAGE):
            for row in rows:
                missing = not all(self._is_there(file["key"], file["size"]) for file in row["files"])
                if missing != row["missing"]:
                    log.warning("model_missing" if missing else "model_back", model=row["key"])
                    self._claims.mark_missing(row["key"], missing)
            after = rows[-1]["key"]

    def close(self) -> None:
        """A round that runs ends with its process."""
        self._claims.close()

    def _is_there(self, key: str, size: int) -> bool:
        try:
            return self._objects.head_sync(key).size == size
        except NotFound:
            return False
