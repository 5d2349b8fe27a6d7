"""Claim an arrival and serialise its picture: the first function of the workflow."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

from scones.contracts import Arrival, Body, ExecutionInput, ExecutionRef, parse, picture_type, unwrap
from scones.errors import MessageError, ObjectExists, ObjectTooLarge, PictureError, PictureTooLarge
from scones.functions.runtime import Runtime, default_runtime
from scones.picture import MAX_BYTES, decode, shrink_to_bytes
from scones.store import Layout

__all__ = ["MAX_PICTURE_BYTES", "MAX_SIDE", "handler", "serialize_image"]

MAX_PICTURE_BYTES = 96_000
"""What a picture may take within the state: 128,000 characters as base64, of Step Functions' 262,144 bytes."""
MAX_SIDE = 1024
"""Longest side of a picture within the state, in pixels."""


def serialize_image(event: Any, runtime: Runtime) -> dict[str, Any]:
    """Read a picture, check it, and put it into the message as text.

    The arrival is claimed first, by an atomic create that names the execution. A second execution of the
    same arrival gets ``"duplicate": true``, which the workflow ends as a success that says so. A claim that
    left no result is taken over when its execution is named in ``supersedes``, or after the lease. Where no
    execution is named (``batch.asl.json``), nothing is claimed.

    Args:
        event: ``{"image_data": "", "s3_bucket": B, "s3_key": K}``, optionally with task, depot,
            driver_id, arrival_id, execution, supersedes and manifest.
        runtime: settings, clock and buckets.

    Returns:
        ``{"statusCode": 200, "body": {"image_data": <base64>, "s3_bucket", "s3_key", "inferences": [], …}}``

    Raises:
        MessageError: the event lacks a field, or another picture has the same arrival's name.
        ObjectMissing: there is no object under the key.
        PictureError: the key names no picture, or the object is none.
        PictureTooLarge: the object is larger than a picture may be; it is not read.
    """
    request = parse(ExecutionInput, unwrap(event), "the event of serialize_image").resolved()
    arrival = request.arrival(task=runtime.task, depot=runtime.settings.depot)
    content_type = picture_type(request.s3_key)
    if content_type is None:
        raise PictureError(f"{request.s3_key} is no picture by its name: send a .png, .jpg, .jpeg or .webp")
    body = Body(
        **arrival.model_dump(),
        s3_bucket=request.s3_bucket,
        s3_key=request.s3_key,
        execution=request.execution.name if request.execution else "",
        execution_started=request.execution.start_time if request.execution else "",
    )
    if request.execution and not _claim(arrival, request, request.execution, runtime):
        return {"statusCode": 200, "body": body.model_copy(update={"duplicate": True}).model_dump()}
    try:
        data = runtime.bucket(request.s3_bucket).get(request.s3_key, most=MAX_BYTES)
    except ObjectTooLarge as error:
        raise PictureTooLarge(f"{error}: send a smaller picture") from error
    image = decode(data, name=request.s3_key, at_least=MAX_SIDE)
    small = shrink_to_bytes(image, max_side=MAX_SIDE, max_bytes=MAX_PICTURE_BYTES)
    update = {
        "image_data": base64.b64encode(small).decode("ascii"),
        "content_type": "image/png" if small.startswith(b"\x89PNG") else "image/jpeg",
    }
    return {"statusCode": 200, "body": body.model_copy(update=update).model_dump()}


def _claim(arrival: Arrival, request: ExecutionInput, execution: ExecutionRef, runtime: Runtime) -> bool:
    """Claim an arrival for an execution; False when another one has it."""
    series, now = Layout.claim_series(arrival.path), runtime.clock()
    picture = {"s3_bucket": request.s3_bucket, "s3_key": request.s3_key}
    claim = {**execution.model_dump(), **picture, "at": now}
    with suppress(ObjectExists):  # nearly every arrival comes once: no need to look first
        runtime.home.append(series, claim, after=0)
        return True
    number = runtime.home.latest_number(series)
    held = runtime.home.get_json(Layout.record(series, number))
    _check_picture(held, picture)
    if _is_by(held, execution):  # this step again, after a retry or a restart
        return True
    results = (Layout.route(arrival.path), Layout.result(arrival.path), Layout.review(arrival.path))
    if any(map(runtime.home.exists, results)):
        return False
    # a clock that went backwards makes an age negative: the claim then holds, which is the safe side
    expired = now - held["at"] > runtime.settings.claim_lease
    if not expired and held["name"] not in request.supersedes:
        return False
    try:
        runtime.home.append(series, claim, after=number)
    except ObjectExists:  # of two at the same moment, one
        held = runtime.home.get_json(Layout.record(series, number + 1))
        _check_picture(held, picture)
        return _is_by(held, execution)
    return True


def _check_picture(held: dict[str, Any], picture: dict[str, str]) -> None:
    """Raises a MessageError where the claim is on another picture, which would be lost without a word."""
    if {name: held[name] for name in picture} != picture:
        raise MessageError(
            f"{picture['s3_key']} in bucket {picture['s3_bucket']} has the name of another arrival, {held['s3_key']} "
            f"in bucket {held['s3_bucket']}: give it another arrival id"
        )


def _is_by(claim: dict[str, Any], execution: ExecutionRef) -> bool:
    # the time too: two journals on one store give an arrival's execution the same name
    return (claim["name"], claim["start_time"]) == (execution.name, execution.start_time)


def handler(event: Any, context: Any = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point."""
    return serialize_image(event, default_runtime())
