"""The registry (ECR): an image's digest, and what its scan found."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3

from infra.delivery.common import Clock, DeliveryFailed, say

_LOOK_SECONDS = 10.0
_REFUSED = ("CRITICAL", "HIGH")
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(repository: str, tag: str) -> str:
    """The digest that a tag names.

    Raises:
        DeliveryFailed: there is no such image.
    """
    ecr: Any = boto3.client("ecr")
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException) as error:
        raise DeliveryFailed(f"There is no image {repository}:{tag}.") from error
    digest = str(found[0]["imageDigest"])
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise DeliveryFailed(f"{repository}:{tag} has no digest but {digest!r}.")
    return digest


def check_scan(repository: str, digest: str, seconds: float, clock: Clock | None = None) -> None:
    """Waits for the scan that a push brings about.

    An image with a bill of materials is an index of the two, and ECR scans what the index names: so is what is asked.

    Raises:
        DeliveryFailed: it found something critical or high, failed, or took too long.
    """
    clock = clock or Clock()
    ecr: Any = boto3.client("ecr")
    digest = _scanned(ecr, repository, digest)
    deadline = clock.now() + seconds
    while True:
        try:
            found = ecr.describe_image_scan_findings(
                repositoryName=repository, imageId={"imageDigest": digest}
            )
            status = found["imageScanStatus"]["status"]
        except ecr.exceptions.ScanNotFoundException:
            found, status = {}, "PENDING"
        # ACTIVE is what an enhanced scan says, which goes on for as long as the image is kept.
        if status in ("COMPLETE", "ACTIVE"):
            break
        if status not in ("PENDING", "IN_PROGRESS") or clock.now() >= deadline:
            raise DeliveryFailed(f"The scan of {repository}@{digest} is {status}.")
        clock.pause(_LOOK_SECONDS)
    counts: dict[str, int] = found["imageScanFindings"].get("findingSeverityCounts", {})
    say(f"The scan of {repository}@{digest} found {counts or 'nothing'}")
    bad = {severity: counts[severity] for severity in _REFUSED if counts.get(severity)}
    if bad:
        raise DeliveryFailed(f"{repository}@{digest} is not to be deployed: {bad}")


def _scanned(ecr: Any, repository: str, digest: str) -> str:
    """The digest of what runs: of an index, its image for x86-64."""
    found = ecr.batch_get_image(
        repositoryName=repository, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=[_INDEX, _MANIFEST]
    )
    if not found["images"]:
        raise DeliveryFailed(f"There is no image {repository}@{digest}.")
    manifest = json.loads(found["images"][0]["imageManifest"])
    images = [
        str(part["digest"])
        for part in manifest.get("manifests", [])
        if part.get("platform") == {"architecture": "amd64", "os": "linux"}
    ]
    if "manifests" in manifest and len(images) != 1:
        raise DeliveryFailed(f"{repository}@{digest} has {len(images)} images for x86-64.")
    return images[0] if images else digest
