"""Claim an arrival and serialise its picture: the first function of the workflow."""

from __future__ import annotations

import base64
from typing import Any

from scones.contracts import Arrival, Body, ExecutionInput, parse, picture_type, unwrap
from scones.errors import ObjectExists, PictureError
from scones.functions.runtime import Runtime, default_runtime
from scones.picture import decode, shrink_to_bytes
from scones.store import Layout

__all__ = ["MAX_PICTURE_BYTES", "handler", "serialize_image"]

MAX_PICTURE_BYTES = 96_000
"""What a picture may take within the state: 128,000 characters as base64, of Step Functions' 262,144 bytes."""
_MAX_SIDE = 1024


def serialize_image(event: Any, runtime: Runtime) -> dict[str, Any]:
    """Read a picture, check it, and put it into the message as text.

    The arrival is claimed first, by an atomic create that names the execution. A second execution of the
    same arrival gets ``"duplicate": true``, which the workflow ends as a success that says so. A claim is
    taken over when its execution is named in ``supersedes``, or has left no result within the lease.

    Args:
        event: ``{"image_data": "", "s3_bucket": B, "s3_key": K}``, optionally with task, depot,
            driver_id, arrival_id, execution and supersedes.
        runtime: settings, clock and buckets.

    Returns:
        ``{"statusCode": 200, "body": {"image_data": <base64>, "s3_bucket", "s3_key", "inferences": [], …}}``

    Raises:
        MessageError: the event lacks a field.
        ObjectMissing: there is no object under the key.
        PictureError: the key names no picture, or the object is none.
    """
    request = parse(ExecutionInput, unwrap(event), "the event of serialize_image")
    arrival = request.arrival(task=runtime.settings.task, depot=runtime.settings.depot)
    content_type = picture_type(request.s3_key)
    if content_type is None:
        raise PictureError(f"{request.s3_key} is no picture by its name: send a .png, .jpg, .jpeg or .webp")
    body = Body(
        **arrival.model_dump(),
        s3_bucket=request.s3_bucket,
        s3_key=request.s3_key,
        execution=request.execution,
    )
    if request.execution and not _claim(arrival, request, runtime):
        return {"statusCode": 200, "body": body.model_copy(update={"duplicate": True}).model_dump()}
    data = runtime.bucket(request.s3_bucket).get(request.s3_key)
    image = decode(data, name=request.s3_key, at_least=_MAX_SIDE)
    small = shrink_to_bytes(image, max_side=_MAX_SIDE, max_bytes=MAX_PICTURE_BYTES)
    update = {
        "image_data": base64.b64encode(small).decode("ascii"),
        "content_type": "image/png" if small.startswith(b"\x89PNG") else "image/jpeg",
    }
    return {"statusCode": 200, "body": body.model_copy(update=update).model_dump()}


def _claim(arrival: Arrival, request: ExecutionInput, runtime: Runtime) -> bool:
    """Claim an arrival for an execution; False when another one has it."""
    series, now = Layout.claim_series(arrival.path), runtime.clock()
    number = runtime.home.latest_number(series)
    if number:
        held = runtime.home.get_json(Layout.record(series, number))
        if held["execution"] == request.execution:  # this step again, after a retry or a restart
            return True
        results = (Layout.route(arrival.path), Layout.review(arrival.path))
        if any(map(runtime.home.exists, results)):
            return False
        # a clock that went backwards makes an age negative: the claim then holds, which is the safe side
        expired = now - held["at"] > runtime.settings.claim_lease
        if not expired and held["execution"] != request.supersedes:
            return False
    claim = {"execution": request.execution, "at": now, "key": request.s3_key}
    try:
        runtime.home.create_json(Layout.record(series, number + 1), claim)
    except ObjectExists:  # of two at the same moment, one
        return bool(runtime.home.get_json(Layout.record(series, number + 1))["execution"] == request.execution)
    return True


def handler(event: Any, context: Any = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point."""
    return serialize_image(event, default_runtime())
