"""Random lives of the ledger: whatever is done by whomever at the same time, and wherever it is cut off, the sums hold.

The suite runs a few hundred steps; `make nightly` (`python -m tests.credits.machine`) goes on for longer.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from invokeai_saas.embedded.servers import EmbeddedServers
from invokeai_saas.observability.logs import configure_logs
from tests.credits.world import PEOPLE, REFERENCES, Act, World
from tests.servers import copied_database, migrate_template

_STEPS_A_LIFE = 50
who = st.integers(0, PEOPLE - 1)
references = st.integers(0, REFERENCES - 1)
copies = st.integers(1, 3)
lives = st.integers(1, 3)
estimates = st.integers(1, 12)
jobs = st.integers(1, 3)
attempts = st.integers(0, 40)
seconds = st.integers(0, 20)
outcomes = st.sampled_from(["completed", "completed", "canceled", "failed"])
delays = st.floats(0, 0.004)


class LedgerMachine(RuleBasedStateMachine):
    """Steps are counted over all lives."""

    world: ClassVar[World]
    steps: ClassVar[int] = 0

    @initialize()
    def begin(self) -> None:
        self.world.begin()

    @rule(person=who, reference=references, life=lives, copies=copies)
    def grant(self, person: int, reference: int, life: int, copies: int) -> None:
        """Webhooks are delivered more than once, at the same moment too."""
        self._do(*[self.world.grant(self._person(person), reference, life)] * copies)

    @rule(person=who, reference=references, copies=copies)
    def refund(self, person: int, reference: int, copies: int) -> None:
        self._do(*[self.world.revoke(self._person(person), reference)] * copies)

    @rule(person=who, reference=references, life=lives)
    def grant_and_refund(self, person: int, reference: int, life: int) -> None:
        """Both events of a payment at once, in whatever order."""
        someone = self._person(person)
        self._do(self.world.grant(someone, reference, life), self.world.revoke(someone, reference))

    @rule(person=who, jobs=jobs, estimate=estimates)
    def reserve(self, person: int, jobs: int, estimate: int) -> None:
        self._do(self.world.enqueue(self._person(person), jobs, estimate), self.world.claim)

    @rule(number=attempts, seconds=seconds, outcome=outcomes, copies=copies)
    def settle(self, number: int, seconds: int, outcome: str, copies: int) -> None:
        """The same end is reported by several, of whom one is heard."""
        self._do(*[self.world.finish(number, seconds, outcome)] * copies)

    @rule(number=attempts, seconds=seconds)
    def outgrow(self, number: int, seconds: int) -> None:
        self._do(self.world.beat(number, seconds))

    @rule(person=who)
    def release(self, person: int) -> None:
        self._do(self.world.cancel(self._person(person)))

    @rule(person=who)
    def expire(self, person: int) -> None:
        someone = self._person(person)
        self._do(lambda connection: self.world.let_expire(someone, connection))
        self._do(self.world.expire)

    @rule()
    def lose_workers(self) -> None:
        self._do(self.world.lose_workers)

    @rule(person=who, reference=references, number=attempts, seconds=seconds, what=st.integers(0, 3))
    def crash(self, person: int, reference: int, number: int, seconds: int, what: int) -> None:
        """A connection is killed in the middle of a transaction."""
        LedgerMachine.steps += 1
        self.world.do_and_die(self._acts(person, reference, number, seconds)[what])

    @rule(
        person=who,
        reference=references,
        number=attempts,
        seconds=seconds,
        what=st.integers(0, 3),
        delay=delays,
    )
    def crash_somewhere(
        self, person: int, reference: int, number: int, seconds: int, what: int, delay: float
    ) -> None:
        """A connection is killed at any moment, and its client tries again."""
        LedgerMachine.steps += 1
        self.world.do_and_die_somewhere(self._acts(person, reference, number, seconds)[what], delay)

    @rule(
        persons=st.lists(who, min_size=2, max_size=4), reference=references, number=attempts, seconds=seconds
    )
    def crowd(self, persons: list[int], reference: int, number: int, seconds: int) -> None:
        """People and the scheduler at the same time."""
        acts = [
            self._acts(person, reference + turn, number + turn, seconds)[turn % 4]
            for turn, person in enumerate(persons)
        ]
        someone = self._person(persons[0])
        self._do(*acts, lambda connection: self.world.let_expire(someone, connection), self.world.expire)

    @invariant()
    def the_books_are_right(self) -> None:
        if self.world.people:
            self.world.check()

    def _person(self, number: int) -> UUID:
        return self.world.people[number]

    def _acts(self, person: int, reference: int, number: int, seconds: int) -> list[Act]:
        someone = self._person(person)
        return [
            self.world.grant(someone, reference % REFERENCES, 1 + seconds % 3),
            self.world.finish(number, seconds, "completed"),
            self.world.enqueue(someone, 1 + number % 2, 1 + seconds % 9),
            self.world.revoke(someone, reference % REFERENCES),
        ]

    def _do(self, *acts: Act) -> None:
        LedgerMachine.steps += 1
        self.world.do(*acts)


def run(world: World, lives: int, steps_a_life: int, *, repeatable: bool) -> int:
    """Lives so many lives; answers the steps that were taken.

    Parameters:
        repeatable: the same lives each time, as far as connections that work at the same time can be.
    """
    LedgerMachine.world, LedgerMachine.steps = world, 0
    chosen = settings(
        max_examples=lives, stateful_step_count=steps_a_life, deadline=None, database=None,
        derandomize=repeatable, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(LedgerMachine, settings=chosen)
    return LedgerMachine.steps


def main() -> None:
    """Goes on until enough steps are done, and says how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    wanted = parser.parse_args().steps
    configure_logs("error", process="nightly")
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of each connection that is killed
    started, done = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="nightly-") as folder:
        embedded = EmbeddedServers(Path(folder, "servers"), durable=False)
        try:
            addresses = embedded.start()
            migrate_template(addresses)
            with copied_database(addresses) as database:
                world = World(database)
                while done < wanted:
                    done += run(world, 100, _STEPS_A_LIFE, repeatable=False)
                    sys.stdout.write(f"{done:,} of {wanted:,} steps, {time.monotonic() - started:,.0f} s\n")
                    sys.stdout.flush()
                world.close()
        finally:
            embedded.stop()
    sys.stdout.write(f"{done:,} steps done: sums exact, nothing below zero, each settlement once\n")


if __name__ == "__main__":
    main()
