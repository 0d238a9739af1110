"""GPU machines go over to another image. The parameter is moto's; of the machines' replacement, which moto lacks, the
calls are checked against AWS's own description of them, and their answers are set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.delivery.common import DeliveryFailed
from infra.delivery.workers import replace_workers
from tests.delivery.world import World, image

OLD, NEW = image(1, "invokeai-gpu-worker"), image(2, "invokeai-gpu-worker")
_PARAMETER = "/invokeai/staging/gpu-worker-image"


@pytest.fixture
def machines(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    boto3.client("ssm").put_parameter(Name=_PARAMETER, Value=OLD, Type="String")
    autoscaling = boto3.client("autoscaling")
    make = boto3.client

    def client(name: str, *args: Any, **options: Any) -> Any:
        return autoscaling if name == "autoscaling" else make(name, *args, **options)

    monkeypatch.setattr(boto3, "client", client)
    with Stubber(autoscaling) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def _parameter() -> str:
    return str(boto3.client("ssm").get_parameter(Name=_PARAMETER)["Parameter"]["Value"])


def _none_runs(machines: Stubber) -> None:
    machines.add_client_error(
        "cancel_instance_refresh",
        "ActiveInstanceRefreshNotFound",
        expected_params={"AutoScalingGroupName": ANY},
    )


def _starts(machines: Stubber, number: str) -> None:
    preferences = {"MinHealthyPercentage": 50, "SkipMatching": False, "ScaleInProtectedInstances": "Wait"}
    asked = {"AutoScalingGroupName": "basic", "Strategy": "Rolling", "Preferences": preferences}
    machines.add_response("start_instance_refresh", {"InstanceRefreshId": number}, asked)


def _is(machines: Stubber, status: str, number: str) -> None:
    asked = {"AutoScalingGroupName": "basic", "InstanceRefreshIds": [number]}
    machines.add_response("describe_instance_refreshes", {"InstanceRefreshes": [{"Status": status}]}, asked)


def test_machines_are_replaced_and_waited_for(machines: Stubber, world: World) -> None:
    _none_runs(machines)
    _starts(machines, "1")
    for status in ("Pending", "InProgress", "Successful"):
        _is(machines, status, "1")
    replace_workers(_PARAMETER, NEW, ["basic"], seconds=3600, clock=world)
    assert _parameter() == NEW
    replace_workers(_PARAMETER, NEW, ["basic"], seconds=3600, clock=world)  # nothing to do


def test_nobody_waits_who_need_not(machines: Stubber, world: World) -> None:
    _none_runs(machines)
    _starts(machines, "1")
    replace_workers(_PARAMETER, NEW, ["basic"], clock=world)
    assert _parameter() == NEW


def test_machines_that_do_not_come_bring_the_former_image_back(machines: Stubber, world: World) -> None:
    _none_runs(machines)
    _starts(machines, "1")
    _is(machines, "Failed", "1")
    _none_runs(machines)
    _starts(machines, "2")
    with pytest.raises(DeliveryFailed, match="Failed"):
        replace_workers(_PARAMETER, NEW, ["basic"], seconds=3600, clock=world)
    assert _parameter() == OLD


def test_a_replacement_that_takes_too_long_is_ended_first(machines: Stubber, world: World) -> None:
    _none_runs(machines)
    _starts(machines, "1")
    for status in ("InProgress", "InProgress"):
        _is(machines, status, "1")
    machines.add_response(
        "cancel_instance_refresh", {"InstanceRefreshId": "1"}, {"AutoScalingGroupName": "basic"}
    )
    for status in ("Cancelling", "Cancelled"):
        _is(machines, status, "1")
    _starts(machines, "2")
    with pytest.raises(DeliveryFailed, match="not replaced"):
        replace_workers(_PARAMETER, NEW, ["basic"], seconds=20, clock=world)
    assert _parameter() == OLD


def test_a_replacement_that_still_runs_is_ended(machines: Stubber, world: World) -> None:
    machines.add_response(
        "cancel_instance_refresh", {"InstanceRefreshId": "0"}, {"AutoScalingGroupName": "basic"}
    )
    _is(machines, "Cancelled", "0")
    _starts(machines, "1")
    replace_workers(_PARAMETER, NEW, ["basic"], clock=world)
    assert _parameter() == NEW
