"""The registry: digests and scans."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from infra.delivery.common import DeliveryFailed
from infra.delivery.registry import check_scan, digest_of
from tests.aws import Aws
from tests.delivery.world import REGION, World

_REPOSITORY = "invokeai-api"


def _pushed(tag: str, *, scanned: bool = True) -> str:
    ecr = boto3.client("ecr")
    ecr.create_repository(repositoryName=_REPOSITORY)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
    put = ecr.put_image(repositoryName=_REPOSITORY, imageManifest=json.dumps(manifest), imageTag=tag)
    if scanned:
        _scan(tag)
    return str(put["image"]["imageId"]["imageDigest"])


def _scan(tag: str) -> None:
    """As a push does at AWS."""
    boto3.client("ecr").start_image_scan(repositoryName=_REPOSITORY, imageId={"imageTag": tag})


def _scan_finds(account: Aws, digest: str, status: str, counts: dict[str, int]) -> None:
    """Has moto tell this of the image, once and from then on."""
    found: dict[str, Any] = {
        "registryId": DEFAULT_ACCOUNT_ID, "repositoryName": _REPOSITORY, "imageId": {"imageDigest": digest},
        "imageScanFindings": {"findingSeverityCounts": counts}, "imageScanStatus": {"status": status},
    }  # fmt: skip
    body = json.dumps({"results": [found], "account_id": DEFAULT_ACCOUNT_ID, "region": REGION}).encode()
    url = f"{account.url}/moto-api/static/ecr/scan-finding-results"
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method="POST")
    urllib.request.urlopen(request, timeout=120).close()


def test_a_tag_is_asked_for_its_digest(world: World) -> None:
    digest = _pushed("abc")
    assert digest_of(_REPOSITORY, "abc") == digest
    for repository, tag in ((_REPOSITORY, "other"), ("other", "abc")):
        with pytest.raises(DeliveryFailed, match="no image"):
            digest_of(repository, tag)


def test_a_clean_scan_passes_once_it_is_there(world: World, account: Aws) -> None:
    digest = _pushed("abc", scanned=False)
    _scan_finds(account, digest, "COMPLETE", {"LOW": 3, "MEDIUM": 1})
    world.meanwhile.append(lambda: _scan("abc"))
    check_scan(_REPOSITORY, digest, 600, world)
    assert world.now() > 0


@pytest.mark.parametrize("severity", ["CRITICAL", "HIGH"])
def test_what_is_dangerous_is_not_deployed(world: World, account: Aws, severity: str) -> None:
    digest = _pushed("abc")
    _scan_finds(account, digest, "COMPLETE", {severity: 1})
    with pytest.raises(DeliveryFailed, match=severity):
        check_scan(_REPOSITORY, digest, 600, world)


@pytest.mark.parametrize("status", ["FAILED", "IN_PROGRESS"])
def test_a_scan_that_failed_or_never_ends_is_none(world: World, account: Aws, status: str) -> None:
    digest = _pushed("abc")
    _scan_finds(account, digest, status, {})
    with pytest.raises(DeliveryFailed, match=status):
        check_scan(_REPOSITORY, digest, 20, world)


def test_of_an_image_with_a_bill_of_materials_the_image_is_asked_about(world: World, account: Aws) -> None:
    digest = _pushed("abc")
    parts = [
        {"digest": digest, "platform": {"architecture": "amd64", "os": "linux"}},
        {"digest": f"sha256:{1:064x}", "platform": {"architecture": "unknown", "os": "unknown"}},
    ]
    kind = "application/vnd.oci.image.index.v1+json"
    put = boto3.client("ecr").put_image(
        repositoryName=_REPOSITORY, imageTag="index", imageManifestMediaType=kind,
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": parts}),
    )  # fmt: skip
    _scan_finds(account, digest, "COMPLETE", {"HIGH": 1})
    with pytest.raises(DeliveryFailed, match=f"{digest} is not to be deployed"):
        check_scan(_REPOSITORY, put["image"]["imageId"]["imageDigest"], 600, world)
