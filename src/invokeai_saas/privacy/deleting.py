"""Deletes people who asked for it, or who have had no plan for long enough: everywhere, in stages, with a proof.

| stage | what is done | again after a crash |
|---|---|---|
| check | one without a plan is looked up at Stripe: who has just paid stays | asked again |
| stop | log-ins, plan, jobs, installs, downloads, exports end; goes on when all stands still | ends what is left |
| stripe | the user pool's person, then Stripe's customer are deleted; each confirms that there is none | asked again |
| files | counted, then deleted until a listing is empty | deletes what is left |
| records | row by row of each table, counted in the same transaction; texts of what stays become empty | goes on |
| tell | the proof is written, and a mail with it; goes on when that was sent, or given up | waits on |
| forget | the person's row becomes nobody's, and what has come in between goes | done in one transaction |

Each person is in the hand of one scheduler, under a lease; the word of any other is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain

import structlog
from redis import Redis

from invokeai_saas.privacy.declared import ERASED, KEPT
from invokeai_saas.privacy.pool import PoolSide
from invokeai_saas.privacy.records import InHand, PrivacyRecords
from invokeai_saas.privacy.stripe import StripeSide
from invokeai_saas.storage.keys import person_prefixes
from invokeai_saas.storage.objects import ListedObject, ObjectStore
from invokeai_saas.worker.events import EventStream

log = structlog.get_logger(__name__)
# Seconds that nothing may have run before anything is deleted: a session is believed for five seconds after it ended,
# and what it began meanwhile needs a moment to end.
QUIET = 10.0
_LOOK_AGAIN = 2.0  # seconds
_FILES, _ROWS = 500, 5000  # at once
_GLOB, _ESCAPED = re.compile(r"([*?\[\]\\])"), r"\\\1"  # what means something in a pattern of Redis'


class Deleter:
    """Parameters: quiet: seconds, see QUIET."""

    def __init__(
        self,
        records: PrivacyRecords,
        objects: ObjectStore,
        stripe: StripeSide,
        pool: PoolSide,
        redis: Redis,
        events: EventStream,
        quiet: float = QUIET,
    ) -> None:
        self._records = records
        self._objects = objects
        self._stripe = stripe
        self._pool = pool
        self._redis = redis
        self._events = events
        self._quiet = quiet
        self._stages: dict[str, Callable[[InHand], InHand | None]] = {
            "check": self._check,
            "stop": self._stop,
            "stripe": self._forget_customer,
            "files": self._delete_files,
            "records": self._delete_records,
            "tell": self._tell,
            "forget": self._forget,
        }

    def advance(self, person: InHand) -> None:
        """Goes through the stages, until the end or until something is to be waited for.

        Raises:
            Lost: another scheduler has this person in hand now.
            Unavailable, stripe.StripeError, redis.RedisError, psycopg.Error: the stage is to be tried again.
        """
        following: InHand | None = person
        while following is not None:
            following = self._stages[following.stage](following)

    def _check(self, person: InHand) -> InHand | None:
        if person.reason == "lapsed" and person.customer and self._stripe.has_plan(person.customer):
            log.warning("deletion_spared", tenant=str(person.user_id), reason="there is a plan at Stripe")
            self._records.spare(person)
            self._records.plan_ended(person.user_id)  # has it read from Stripe
            return None
        return self._records.note(person, "stop")

    def _stop(self, person: InHand) -> InHand | None:
        still, sessions = self._records.stop(person, self._quiet)
        self._events.end_sessions(sessions)
        if not still:
            self._records.wait(person, min(_LOOK_AGAIN, self._quiet))
            return None
        return self._records.note(person, "stripe")

    def _forget_customer(self, person: InHand) -> InHand:
        confirmed = self._pool.forget(self._records.subject(person))
        if confirmed is not None:
            person = self._records.note(person, "stripe", pool={"deleted": True, "confirmation": confirmed})
        if person.customer is None:
            return self._records.note(person, "files")
        confirmation = self._stripe.forget(person.customer)
        return self._records.note(person, "files", stripe={"deleted": True, "confirmation": confirmation})

    def _delete_files(self, person: InHand) -> InHand:
        if "files" not in person.report:
            sizes = [found.size for page in self._pages(person) for found in page]
            person = self._records.note(person, "files", files={"count": len(sizes), "bytes": sum(sizes)})
        self._delete_all(person)
        self._records.purge(person)  # caches forget them soon after, whatever becomes of this
        return self._records.note(person, "records")

    def _pages(self, person: InHand) -> Iterator[list[ListedObject]]:
        """All files of a person, page by page. The lease goes on with each."""
        for prefix in person_prefixes(person.user_id):
            last: str | None = None
            while page := self._objects.list_sync(prefix, last, _FILES):
                yield page
                self._records.note(person, person.stage)
                last = page[-1].key

    def _delete_all(self, person: InHand) -> bool:
        """Until there is nothing to be listed any more: a store may list late what came late. Whether there was any."""
        found_any = False
        while left := list(chain.from_iterable(self._first_pages(person))):
            found_any = True
            self._objects.delete_sync([found.key for found in left])
            self._records.note(person, person.stage)
        return found_any

    def _first_pages(self, person: InHand) -> Iterator[list[ListedObject]]:
        for prefix in person_prefixes(person.user_id):
            yield self._objects.list_sync(prefix, None, _FILES)

    def _delete_records(self, person: InHand) -> InHand:
        self._records.erase_events(person)
        for table in ERASED:
            while self._records.erase(person, table, _ROWS) == _ROWS:
                pass
        while self._records.pseudonymise(person, _ROWS):
            pass
        return self._records.note(person, "tell")

    def _tell(self, person: InHand) -> InHand | None:
        if self._records.tell(person, KEPT) == "waiting":
            self._records.wait(person, _LOOK_AGAIN)
            return None
        return self._records.note(person, "forget")

    def _forget(self, person: InHand) -> None:
        if self._delete_all(person):
            self._records.purge(person)
        for said in (str(person.user_id), person.email):
            self._forget_keys(said)
        self._records.forget(person)
        log.info("person_deleted", reason=person.reason)

    def _forget_keys(self, said: str) -> None:
        """Caches and counters whose names say who they are of."""
        for key in self._redis.scan_iter(match=f"*{_GLOB.sub(_ESCAPED, said)}*", count=1000):
            self._redis.delete(key)
