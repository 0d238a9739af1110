"""Figures for Prometheus: who counts what, and the port at which they are read.

The port is not the API's: it is bound to this machine unless the settings name another address, which has to be a
private one. Nothing is counted where no port is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from invokeai_saas.errors import SetupError

_LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WAITS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_JOBS = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 600.0, 3600.0)
UNKNOWN = "unknown"


@contextmanager
def served(registry: CollectorRegistry, host: str, port: int | None) -> Iterator[None]:
    """Serves a registry's figures meanwhile; does nothing without a port.

    Raises:
        SetupError: the port is taken.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise SetupError(
            f"Figures cannot be served at {host}:{port}: {error}", "Choose another METRICS_PORT."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class ApiMetrics:
    """What an API process counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "invokeai_requests",
            "Answers by method, route template and class of status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "invokeai_request_seconds",
            "From a request's arrival to the end of its answer.",
            ("method", "route"),
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._sockets = Gauge("invokeai_sockets", "Sockets that are connected.", registry=self.registry)

    def watch_sockets(self, count: Callable[[], int]) -> None:
        """Parameters: count: how many there are, asked when the figures are read."""
        self._sockets.set_function(count)

    def answered(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """Counts an answer. Templates, not paths: a path has as many values as there are people and pictures.

        Parameters:
            scope: the request's, after it was routed.
            status: 0 where the caller left before there was any.
            seconds: that it took.
        """
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        route = getattr(scope.get("route"), "path", UNKNOWN)
        self._requests.labels(method, route, f"{status // 100}xx" if status else "none").inc()
        self._seconds.labels(method, route).observe(seconds)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class QueueMetrics:
    """What the scheduler knows of tiers and of the business."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        tiers = {
            "waiting": ("invokeai_queue_depth", "Jobs that wait."),
            "ready": ("invokeai_queue_ready", "Jobs that could start if there were a worker."),
            "backlog_seconds": ("invokeai_backlog_seconds", "GPU seconds that those are estimated at."),
            "running": ("invokeai_jobs_running", "Jobs that run."),
            "workers": ("invokeai_workers", "Workers that were there within a minute."),
            "busy": ("invokeai_workers_busy", "Workers with a job."),
        }
        business = {
            "active_people": ("invokeai_active_people", "People whose jobs used credits within a day."),
            "pictures": ("invokeai_pictures_last_hour", "Pictures made within an hour."),
            "credits": ("invokeai_credits_used_last_hour", "Credits used within an hour."),
            "monthly_usd": ("invokeai_monthly_revenue_usd", "Dollars that plans bring in a month."),
            "stored_bytes": ("invokeai_stored_bytes", "Bytes of people's pictures and videos."),
        }
        self._tiers = {
            key: Gauge(name, says, ("tier",), registry=self.registry) for key, (name, says) in tiers.items()
        }
        self._business = {
            key: Gauge(name, says, registry=self.registry) for key, (name, says) in business.items()
        }
        self._at = Gauge(
            "invokeai_figures_at_seconds",
            "When figures were read last, since 1970.",
            ("figures",),
            registry=self.registry,
        )

    def tier(self, tier: str, values: Mapping[str, float]) -> None:
        for key, gauge in self._tiers.items():
            gauge.labels(tier).set(values[key])
        self._at.labels("queue").set_to_current_time()

    def business(self, values: Mapping[str, float]) -> None:
        for key, gauge in self._business.items():
            gauge.set(values[key])
        self._at.labels("business").set_to_current_time()


class JobMetrics:
    """What a worker counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._wait = Histogram(
            "invokeai_first_claim_seconds",
            "From a job's enqueue to its first claim.",
            ("tier",),
            buckets=_WAITS,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "invokeai_job_seconds",
            "GPU seconds of jobs that ended.",
            ("tier", "status"),
            buckets=_JOBS,
            registry=self.registry,
        )
        self._pictures = Counter("invokeai_pictures", "Pictures made.", ("tier",), registry=self.registry)
        self._credits = Counter("invokeai_credits_used", "Credits used.", ("tier",), registry=self.registry)

    def claimed(self, tier: str, waited: float) -> None:
        """Parameters: waited: seconds."""
        self._wait.labels(tier).observe(max(0.0, waited))

    def ended(self, tier: str, status: str, seconds: float, pictures: int, credits: int) -> None:
        """Parameters: seconds: metered."""
        self._seconds.labels(tier, status).observe(seconds)
        self._pictures.labels(tier).inc(pictures)
        self._credits.labels(tier).inc(credits)
