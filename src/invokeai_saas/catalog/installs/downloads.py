"""The scheduler's part of installs: takes on what waits to be downloaded, and keeps its disk free of the rest."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import structlog

from invokeai_saas.catalog.installs.claims import InstallClaims, InstallJob
from invokeai_saas.catalog.installs.download import LEASE_SECONDS, Download
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)


class Downloads:
    """Downloads what waits, so many at a time.

    Parameters:
        settings: limits, the allow-list, and DATA_DIR, below which unfinished files lie.
    """

    def __init__(self, settings: Settings, objects: ObjectStore, events: EventStream) -> None:
        self._settings = settings
        self._claims = InstallClaims(settings.database_worker_url.get_secret_value())
        self._objects = objects
        self._events = events
        self._folder = settings.data_dir / "installs"
        self._slots = threading.BoundedSemaphore(settings.model_downloads)
        self._pool = ThreadPoolExecutor(settings.model_downloads, thread_name_prefix="install")
        self._in_hand: set[int] = set()
        self._closing = threading.Event()

    def look(self) -> None:
        """Takes on what waits, as far as there is room."""
        while not self._closing.is_set() and self._slots.acquire(blocking=False):
            try:
                job = self._claims.claim("download", LEASE_SECONDS)
            except BaseException:
                self._slots.release()
                raise
            if job is None:
                self._slots.release()
                return
            self._in_hand.add(job.id)
            self._pool.submit(self._work_on, job)

    def _work_on(self, job: InstallJob) -> None:
        try:
            Download(
                self._settings, job, self._claims.sibling(), self._objects, self._events, self._closing
            ).run()
        except Exception as error:
            log.error("install_left_to_its_lease", install=job.id, exc_info=error)
        finally:
            self._in_hand.discard(job.id)
            self._slots.release()

    def tidy(self) -> None:
        """Removes what lies on this disk of installs that cannot go on with it: cancelled while they were paused,
        ended, gone, or finished by another scheduler.
        """
        if not self._folder.exists():
            return
        # Listed before it is asked which are in hand: one that is taken on meanwhile is waiting or in hand then.
        lying = {int(left.name): left for left in self._folder.iterdir() if left.name.isdecimal()}
        kept = self._claims.on_disk(list(lying)) if lying else set()
        for install_id in lying.keys() - kept - self._in_hand:
            log.info("unfinished_download_removed", install=install_id)
            shutil.rmtree(lying[install_id], ignore_errors=True)

    def close(self) -> None:
        """Hands back what runs."""
        self._closing.set()
        self._pool.shutdown(wait=True)
        self._claims.close()
