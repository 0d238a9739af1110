"""Kills workers with -9 in the middle of jobs until the queue is dry, and looks at what is left.

Used by the suite with the mock engine, and by `python -m tests.worker.chaos --engine invokeai` with the real one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from invokeai_saas.catalog.scanning import scan
from invokeai_saas.embedded.servers import EmbeddedServers
from invokeai_saas.observability.logs import configure_logs
from invokeai_saas.settings import Settings
from tests.apps import RunningApi, Subject, running_api
from tests.graphs import add_model, batch_body, picture_graph, seeds
from tests.money import violations
from tests.servers import TestDatabase, copied_database, migrate_template

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class ChaosPlan:
    """How much is queued and how it is disturbed.

    Parameters:
        seed: of the killer.
        kill_every: seconds between kills, on average.
        kills_a_job: at most so many attempts of one job are killed.
        lease: seconds.
    """

    people: int = 8
    jobs_each: int = 25
    workers: int = 2
    seed: int = 20261123
    kill_every: float = 1.0
    kills_a_job: int = 2
    lease: float = 2.0
    heartbeat: float = 0.3
    step_seconds: float = 0.02
    engine: str = "mock"
    patience: float = 300.0


@dataclass
class ChaosReport:
    """What was left when the queue was dry."""

    kills: int = 0
    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    settlements: int = 0
    settled: int = 0
    consumed: int = 0
    pictures: int = 0
    jobs_with_pictures: int = 0
    violations: dict[str, list[Any]] = field(default_factory=dict)


class Chaos:
    """Workers as child processes, a scheduler, and a killer between them."""

    def __init__(self, database: TestDatabase, settings: Settings, plan: ChaosPlan) -> None:
        self._database = database
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._environment = process_environment(settings, plan)
        self._logs = settings.data_dir / "chaos"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._kills: Counter[int] = Counter()
        self.report = ChaosReport()

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        real = arguments[0] == "worker" and self._plan.engine == "invokeai"
        python = ROOT / ".venv-engine" / "bin" / "python" if real else Path(sys.executable)
        with (self._logs / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [str(python), "-m", "invokeai_saas", *arguments],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def _start_worker(self) -> subprocess.Popen[bytes]:
        return self._spawn("worker", "--engine", self._plan.engine)

    def run(self) -> ChaosReport:
        """Runs until no job is left, then fills the report."""
        started = time.monotonic()
        scheduler = self._spawn("scheduler")
        self._workers = [self._start_worker() for _ in range(self._plan.workers)]
        try:
            while not self._dry():
                assert time.monotonic() - started < self._plan.patience, "the queue did not run dry"
                time.sleep(self._random.uniform(0.5, 1.5) * self._plan.kill_every)
                self._kill_one()
        finally:
            for process in [*self._workers, scheduler]:
                process.terminate()
            for process in [*self._workers, scheduler]:
                process.wait(120)
        self.report.seconds = time.monotonic() - started
        self._look()
        return self.report

    def _query(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database.url()) as connection:
            return connection.execute(query.encode()).fetchall()

    def _dry(self) -> bool:
        return not self._query(
            "SELECT 1 FROM session_queue WHERE status IN ('pending', 'in_progress') LIMIT 1"
        )

    def _kill_one(self) -> None:
        """Kills a worker in the middle of a job that has not been killed too often, and starts another."""
        running = self._query(
            "SELECT split_part(a.worker_id, ':', 2)::int, a.item_id FROM job_attempts a"
            " WHERE a.outcome IS NULL AND a.lease_until > now() ORDER BY a.item_id"
        )
        by_pid = {worker.pid: worker for worker in self._workers}
        victims = [
            (pid, job) for pid, job in running if pid in by_pid and self._kills[job] < self._plan.kills_a_job
        ]
        if not victims:
            return
        pid, job = self._random.choice(victims)
        os.kill(pid, signal.SIGKILL)
        by_pid[pid].wait()
        self._workers.remove(by_pid[pid])
        # It may have finished that job and begun another before the signal came: whatever was hit counts.
        hit = self._query(
            f"SELECT item_id FROM job_attempts WHERE outcome IS NULL AND split_part(worker_id, ':', 2) = '{pid}'"
        )
        for (item,) in hit or [(job,)]:
            self._kills[item] += 1
        self.report.kills += 1
        self._workers.append(self._start_worker())

    def _look(self) -> None:
        report = self.report
        report.statuses = Counter(dict(self._query("SELECT status, count(*) FROM session_queue GROUP BY 1")))
        report.attempts = Counter(dict(self._query("SELECT outcome, count(*) FROM job_attempts GROUP BY 1")))
        ((report.settlements, report.settled),) = self._query(
            "SELECT count(*), coalesce(-sum(amount), 0) FROM credit_transactions WHERE transaction_type = 'settlement'"
        )
        ((report.consumed,),) = self._query("SELECT coalesce(sum(credits_consumed), 0) FROM usage_records")
        ((report.pictures, report.jobs_with_pictures),) = self._query(
            "SELECT count(*), count(DISTINCT item_id) FROM images WHERE NOT is_intermediate"
        )
        report.violations = violations(self._database)


def process_environment(settings: Settings, plan: ChaosPlan) -> dict[str, str]:
    """The environment of a worker or scheduler of the test's own."""
    chosen = {
        "DATABASE_WORKER_URL": settings.database_worker_url.get_secret_value(),
        "DATABASE_AUTH_URL": settings.database_auth_url.get_secret_value(),
        "DATABASE_BILLING_URL": settings.database_billing_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "S3_ENDPOINT_URL": settings.s3_endpoint_url or "",
        "S3_BUCKET": settings.s3_bucket,
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id.get_secret_value()
        if settings.aws_access_key_id
        else "",
        "AWS_SECRET_ACCESS_KEY": (
            settings.aws_secret_access_key.get_secret_value() if settings.aws_secret_access_key else ""
        ),
        "MEDIA_SIGNING_KEY": settings.media_signing_key.get_secret_value(),
        "DATA_DIR": str(settings.data_dir),
        "MODEL_DIR": str(ROOT / "models"),
        "LEASE_SECONDS": str(plan.lease),
        "HEARTBEAT_SECONDS": str(plan.heartbeat),
        "MAX_ATTEMPTS": "10",  # a machine that stands still costs leases as well
        "MOCK_STEP_SECONDS": str(plan.step_seconds),
    }
    return {**os.environ, **chosen}


async def queue_everything(api: RunningApi, database: TestDatabase, plan: ChaosPlan) -> list[Subject]:
    """Each person queues their jobs, with credits enough for all of them."""
    record: dict[str, Any] = {}
    if plan.engine != "mock":
        record = scan(api.settings.model_copy(update={"model_dir": ROOT / "models"}))[0]
    model = add_model(database, **record)
    people = [await api.person(f"person-{number}@example.com") for number in range(plan.people)]
    with psycopg.connect(database.owner) as connection:
        for person in people:
            connection.execute(
                "SELECT credits_grant(%s, 100000, 'pack', now(), now() + interval '60 days', 'chaos', 'Chaos')",
                [person.user_id],
            )
    graph = picture_graph(**{**model, "default_settings": {"width": 64, "height": 64, "steps": 12}})
    for person in people:
        body = batch_body(graph, data=seeds(*range(plan.jobs_each)))
        answer = await person.post("/api/v1/queue/default/enqueue_batch", json=body)
        assert answer.status_code == 200, answer.text
    return people


async def run_chaos(database: TestDatabase, settings: Settings, plan: ChaosPlan) -> ChaosReport:
    """Queues, disturbs, and reports."""
    async with running_api(settings) as api:
        await queue_everything(api, database, plan)
    return await asyncio.to_thread(Chaos(database, settings, plan).run)


def check(report: ChaosReport, plan: ChaosPlan) -> None:
    """What must be true whatever was killed."""
    jobs = plan.people * plan.jobs_each
    assert report.kills > 0
    assert report.statuses == {"completed": jobs}, report.statuses
    assert report.attempts["completed"] == jobs
    assert report.settlements == jobs
    assert report.settled == report.consumed
    assert report.pictures == report.jobs_with_pictures == jobs
    assert report.violations == {}


def main() -> None:
    """The same over embedded servers of its own; with the real engine this takes minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("mock", "invokeai"), default="invokeai")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=20261123)
    chosen = parser.parse_args()
    configure_logs("warning", process="chaos")
    real = chosen.engine == "invokeai"
    plan = ChaosPlan(
        people=chosen.people, jobs_each=chosen.jobs, seed=chosen.seed, engine=chosen.engine, patience=3600.0,
        kill_every=25.0 if real else 1.0, lease=6.0 if real else 2.0, heartbeat=1.0 if real else 0.3,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        embedded = EmbeddedServers(Path(folder, "servers"), durable=False)
        try:
            addresses = embedded.start()
            migrate_template(addresses)
            with copied_database(addresses) as database:
                settings = database.settings(Path(folder, "data"))
                report = asyncio.run(run_chaos(database, settings, plan))
        finally:
            embedded.stop()
    for name, value in vars(report).items():
        sys.stdout.write(f"{name:>20}: {value}\n")
    check(report, plan)
    sys.stdout.write("every job completed exactly once, and the money adds up\n")


if __name__ == "__main__":
    main()
