"""Figures: who counts what, where they are read, and that their names are those that the infrastructure reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import SetupError
from invokeai_saas.observability import emf
from invokeai_saas.observability.jobs import GpuCollector, JobWatch, _device
from invokeai_saas.observability.watching import Watch
from invokeai_saas.settings import Settings
from tests.apps import running_api
from tests.factories import make_image, make_person
from tests.graphs import add_model, batch_body, seeds
from tests.servers import TestDatabase
from tests.waiting import eventually
from tests.workers import working

QUEUE = "/api/v1/queue/default"
MODULES = Path(__file__).parents[2] / "infra" / "terraform" / "modules"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def _read(port: int) -> Samples:
    async with httpx.AsyncClient(timeout=120) as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, tuple(sorted(labels.items()))))


def _emf_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"_aws"')]


def _with(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update=changes)


async def test_the_api_counts_by_template_and_class_of_status(settings: Settings) -> None:
    port = free_port()
    async with running_api(_with(settings, metrics_port=port)) as api:
        ada = await api.person("ada@example.com")
        for item in (11, 12):
            assert (await ada.get(f"{QUEUE}/i/{item}")).status_code == 404
        assert (await api.nobody().get("/api/v1/app/version")).status_code == 200
        samples = await _read(port)
        public = await api.nobody().get("/metrics")
    template = "/api/v1/queue/{queue_id}/i/{item_id}"
    assert _of(samples, "invokeai_requests_total", method="GET", route=template, status="4xx") == 2
    assert _of(samples, "invokeai_request_seconds_count", method="GET", route=template) == 2
    assert (
        _of(samples, "invokeai_requests_total", method="GET", route="/api/v1/app/version", status="2xx") == 1
    )
    assert _of(samples, "invokeai_sockets") == 0
    assert not any("/i/11" in value for _, labels in samples for _, value in labels)
    assert public.status_code == 404  # figures are at their own port alone


async def test_nothing_listens_unless_a_port_is_set(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listens(*_: object, **__: object) -> None:
        raise AssertionError("a port was opened")

    monkeypatch.setattr("invokeai_saas.observability.metrics.start_http_server", listens)
    async with running_api(settings) as api:
        assert (await api.nobody().get("/api/v1/app/version")).status_code == 200
    Watch(settings).close()


async def test_a_port_that_is_taken_is_said(settings: Settings) -> None:
    port = free_port()
    first = Watch(_with(settings, metrics_port=port))
    with pytest.raises(SetupError, match=str(port)):
        Watch(_with(settings, metrics_port=port))
    first.close()


async def test_the_scheduler_publishes_queue_and_business(
    settings: Settings, database: TestDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    add_model(database)
    async with running_api(settings) as api:
        ada = await api.person("ada@example.com")
        assert (
            await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1, 2)))
        ).status_code == 200
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "INSERT INTO gpu_workers (id, tiers, engine, seen_at) VALUES ('w', '{basic}', 'mock', now()),"
            " ('gone', '{basic}', 'mock', now() - interval '2 minutes')"
        )
        connection.execute("UPDATE gpu_tiers SET credits_per_second = 2 WHERE tier = 'basic'")
        waiting = connection.execute("SELECT sum(estimate) FROM session_queue").fetchone()
        assert waiting is not None
    port = free_port()
    watch = Watch(_with(settings, metrics_port=port, metrics_emf=True))
    watch.queue()
    samples = await _read(port)
    watch.close()
    basic = {"tier": "basic"}
    assert _of(samples, "invokeai_queue_depth", **basic) == 2
    assert _of(samples, "invokeai_workers", **basic) == 1
    assert _of(samples, "invokeai_workers_busy", **basic) == 0
    # A trial runs one job at a time: one could start.
    assert _of(samples, "invokeai_queue_ready", **basic) == 1
    assert _of(samples, "invokeai_backlog_seconds", **basic) == waiting[0] / 2 / 2
    assert _of(samples, "invokeai_queue_depth", tier="dedicated") == 0
    lines = _emf_lines(capsys.readouterr().err)
    told = {line["Tier"]: line["BacklogSeconds"] for line in lines}
    assert told["basic"] == waiting[0] / 4 and set(told) == {"basic", "high_performance", "dedicated"}


async def test_business_figures_are_sums_of_the_last_hour_and_day(
    settings: Settings, database: TestDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    ada = make_person(database, plan="starter")
    with psycopg.connect(database.owner) as connection:
        make_image(connection, ada, item_id=None)  # uploaded
        make_image(connection, ada, item_id=5)
        make_image(connection, ada, item_id=5, is_intermediate=True)
        connection.execute(
            "UPDATE user_subscriptions SET billing_interval = 'month' WHERE user_id = %s", [ada]
        )
        price = connection.execute(
            "SELECT monthly_price FROM subscription_plans WHERE slug = 'starter'"
        ).fetchone()
        assert price is not None
    port = free_port()
    watch = Watch(_with(settings, metrics_port=port, metrics_emf=True))
    watch.business()
    samples = await _read(port)
    watch.close()
    assert _of(samples, "invokeai_pictures_last_hour") == 1
    assert _of(samples, "invokeai_active_people") == 0
    assert _of(samples, "invokeai_monthly_revenue_usd") == float(price[0]) > 0
    assert _of(samples, "invokeai_stored_bytes") == 3000
    (line,) = _emf_lines(capsys.readouterr().err)
    assert line["MonthlyRecurringRevenue"] == float(price[0])
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]


def test_who_is_not_told_asks_nothing(settings: Settings) -> None:
    """Without a port and without log lines, a database that is away is no matter."""
    away = _with(settings, database_worker_url=SecretStr("postgresql://127.0.0.1:1/x"))
    watch = Watch(away)
    watch.queue()
    watch.business()
    watch.close()


@pytest.mark.parametrize(
    ("role", "function"),
    [("worker", "watching_business"), ("api", "watching_queue"), ("api", "watching_business")],
)
def test_only_who_publishes_them_may_ask(settings: Settings, role: str, function: str) -> None:
    urls = {"worker": settings.database_worker_url, "api": settings.database_url}
    url = urls[role].get_secret_value().replace("+asyncpg", "").replace("+psycopg", "")
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
    ):
        connection.execute(f"SELECT * FROM {function}()")


async def test_a_worker_counts_its_jobs(
    settings: Settings, database: TestDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    add_model(database)
    port = free_port()
    async with running_api(settings) as api:
        ada = await api.person("ada@example.com")
        async with working(settings, metrics_port=port, metrics_emf=True):
            answer = await ada.post(f"{QUEUE}/enqueue_batch", json=batch_body(data=seeds(1)))
            (item,) = answer.json()["item_ids"]

            async def ended() -> bool:
                return bool((await ada.get(f"{QUEUE}/i/{item}")).json()["status"] == "completed")

            await eventually(ended)

            async def counted() -> Samples | None:
                found = await _read(port)
                return found if _of(found, "invokeai_pictures_total", tier="basic") else None

            samples = await eventually(counted)
    done = {"tier": "basic", "status": "completed"}
    assert _of(samples, "invokeai_job_seconds_count", **done) == 1
    assert _of(samples, "invokeai_pictures_total", tier="basic") == 1
    with psycopg.connect(database.url()) as connection:  # a second on a machine with nothing else to do
        (used,) = connection.execute("SELECT sum(used_credits) FROM credits").fetchone() or (0,)
    assert used >= 1
    assert _of(samples, "invokeai_credits_used_total", tier="basic") == used
    assert _of(samples, "invokeai_first_claim_seconds_count", tier="basic") == 1
    (line,) = _emf_lines(capsys.readouterr().err)
    assert (line["Images"], line["CreditsUsed"], line["Tier"]) == (1, used, "basic")
    assert line["JobSeconds"] > 0
    by_dimension = {
        tuple(group["Dimensions"][0]): {metric["Name"] for metric in group["Metrics"]}
        for group in line["_aws"]["CloudWatchMetrics"]
    }
    assert by_dimension == {("Tier",): {"JobSeconds"}, (): {"Images", "CreditsUsed"}}


class _Driver:
    """What pynvml answers."""

    class _Rates:
        gpu = 40

    class _Memory:
        used, total = 3, 16

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"#{index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return uuid

    def nvmlDeviceGetUtilizationRates(self, device: str) -> _Rates:  # noqa: N802
        return self._Rates()

    def nvmlDeviceGetMemoryInfo(self, device: str) -> _Memory:  # noqa: N802
        return self._Memory()


def test_a_gpu_is_asked_by_number_or_name(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = _Driver()
    assert [_device(driver, named) for named in ("", "2,3", "GPU-1")] == ["#0", "#2", "GPU-1"]
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver)
    told = {family.name: family.samples[0].value for family in GpuCollector().collect()}
    assert told == {
        "invokeai_gpu_utilisation_ratio": 0.4,
        "invokeai_gpu_memory_used_bytes": 3,
        "invokeai_gpu_memory_total_bytes": 16,
    }


def test_without_a_driver_there_are_no_gpu_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    assert list(GpuCollector().collect()) == []


def test_an_environment_without_the_library_works_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "invokeai_saas.observability.metrics", None)
    watch = JobWatch(_with(settings, metrics_port=free_port()))
    watch.ended("basic", "completed", 1.0, 1, 1)
    watch.close()


def test_names_are_those_that_the_infrastructure_reads() -> None:
    dashboard = (MODULES / "monitoring" / "dashboard.tf").read_text()
    named = set(re.findall(rf'"{emf.NAMESPACE}", "(\w+)"', dashboard))
    agents = {name for name in named if name.startswith("nvidia_smi_")}
    scaling = (MODULES / "gpu-group" / "policies.tf").read_text()
    assert f'namespace   = "{emf.NAMESPACE}"' in scaling
    named |= set(re.findall(r'metric_name = "(BacklogSeconds)"', scaling))
    assert named - agents == set(emf.UNITS)
    for tiered in (emf.JOB_SECONDS, *agents):
        assert f'"{tiered}", "{emf.TIER}"' in dashboard
    assert "dimensions  = { Tier = var.tier }" in scaling
    told = (MODULES / "stack" / "settings.tf").read_text()
    for process in ("scheduler", "worker"):
        assert re.search(rf'^    {process} += [^)]*METRICS_EMF += "true"', told, re.MULTILINE), process
