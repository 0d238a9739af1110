"""A task that an operator runs once: what it printed is shown, its exit code counts, and its log can be removed."""

from __future__ import annotations

from typing import Any

import boto3

from infra.delivery.common import Clock, DeliveryFailed, say
from infra.delivery.ecs import Cluster

_LOOKS = 4  # for a log, which comes some seconds after the task's end, and never where the task did not start
_LOOK_SECONDS = 5.0


def run_once(
    cluster: Cluster,
    family: str,
    network: dict[str, Any],
    *,
    command: list[str],
    seconds: float,
    forget: bool = False,
    clock: Clock | None = None,
) -> None:
    """Runs a task's newest revision, and prints its log whether it went well or not.

    Parameters:
        family: of the task definition.
        network: `networkConfiguration`.
        command: instead of the task's own; empty: its own.
        seconds: that it may take.
        forget: removes the log once it is printed: for what shows a password.

    Raises:
        DeliveryFailed: as `Cluster.run_task`, or the log that was to be removed could not be found.
    """
    arn = cluster.start_task(family, network, command=command or None)
    group, stream = cluster.log_of(arn, family)
    try:
        cluster.end_task(arn, family, seconds)
    finally:
        _show(group, stream, forget, clock or Clock())


def _show(group: str, stream: str, forget: bool, clock: Clock) -> None:
    logs: Any = boto3.client("logs")
    for look in range(_LOOKS):
        if look:
            clock.pause(_LOOK_SECONDS)
        lines = _lines(logs, group, stream)
        if lines:
            break
    for line in lines:
        say(f"| {line}")
    if not lines:
        say(f"There is nothing in {group}: {stream}")
    if not forget:
        return
    try:
        logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceNotFoundException as error:
        raise DeliveryFailed(
            f"The log {stream} of {group} is not there yet and was not removed. Remove it when it is:"
            f" aws logs delete-log-stream --log-group-name {group} --log-stream-name {stream}"
        ) from error
    say(f"The log {stream} is removed")


def _lines(logs: Any, group: str, stream: str) -> list[str]:
    found: list[str] = []
    asked: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    while True:
        try:
            page = logs.get_log_events(**asked)
        except logs.exceptions.ResourceNotFoundException:
            return found
        found += [str(event["message"]) for event in page["events"]]
        # The last page is told by a token that stays the same.
        if not page["events"] or page["nextForwardToken"] == asked.get("nextToken"):
            return found
        asked["nextToken"] = page["nextForwardToken"]
