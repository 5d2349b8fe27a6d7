"""Ask the endpoint what a picture shows: the second function of the workflow."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from scones.capture import CaptureRecord, is_captured
from scones.contracts import Answer, Body, parse, unwrap
from scones.errors import EndpointBusy, EndpointRejected, MessageError
from scones.functions.answer_capture import capture_answer
from scones.functions.runtime import Runtime, default_runtime
from scones.task import load_task

__all__ = ["classify_image", "handler"]

_BUSY_STATUS = {408, 429, 500, 502, 503, 504}


def classify_image(event: Any, runtime: Runtime) -> dict[str, Any]:
    """Send the picture to the endpoint and add its answer to the message.

    The threshold is the endpoint's, or ``threshold_floor`` where that is more. ``capture_share`` of the answers is
    captured here; a store that fails is no reason to fail.

    Args:
        event: what ``serialize_image`` returned; its body may be an object or JSON text.
        runtime: settings, clock, the endpoint's client and the bucket.

    Returns:
        ``{"statusCode": 200, "body": {…, "inferences": [p0, p1], "label", "confidence", "threshold",
        "model_version", "inference_id"}}``

    Raises:
        MessageError: the event lacks a field, or its picture is no base64.
        EndpointBusy: the endpoint is saturated, slow or not there: retry.
        EndpointRejected: it refuses this request for good.
    """
    body = parse(Body, unwrap(event), "the event of classify_image")
    try:
        picture = base64.b64decode(body.image_data, validate=True)
    except binascii.Error as error:
        raise MessageError(f"image_data of {body.s3_key} is no base64 ({error}): correct the sender") from error
    inference_id = (body.execution or uuid.uuid4().hex)[:64]
    probabilities, header = _invoke(runtime, picture, body.content_type, inference_id)
    if header:
        answer = Answer.from_header(header)
    else:  # an endpoint that is not ours says nothing of labels and threshold: the task does
        task = load_task(body.task)
        answer = Answer(
            model_version="unknown",
            threshold=task.policy.default_threshold,
            inference_id=inference_id,
            labels=task.labels,
        )
    if answer.task not in ("", body.task):
        raise EndpointRejected(
            f"endpoint {runtime.settings.endpoint} serves task {answer.task}, and {body.s3_key} is of task "
            f"{body.task}: name an endpoint of that task"
        )
    if len(answer.labels) != len(probabilities):
        raise EndpointRejected(
            f"endpoint {runtime.settings.endpoint} answers {len(probabilities)} probabilities for "
            f"{len(answer.labels)} labels: deploy a model of task {body.task}"
        )
    confidence, threshold = max(probabilities), max(answer.threshold, runtime.settings.threshold_floor)
    if is_captured(inference_id, runtime.settings.capture_share):
        record = CaptureRecord(
            event_id=inference_id,
            inference_id=inference_id,
            time=datetime.fromtimestamp(runtime.clock(), UTC),
            probabilities=tuple(probabilities),
            content_type=body.content_type,
            picture=picture,
            attributes={
                "model_version": answer.model_version,
                "threshold": repr(threshold),
                "labels": ",".join(answer.labels),
            },
        )
        capture_answer(runtime, record, body.execution_started)
    update = {
        "inferences": probabilities,
        "label": answer.labels[probabilities.index(confidence)],
        "confidence": confidence,
        "threshold": threshold,
        "model_version": answer.model_version,
        "inference_id": inference_id,  # the caller's, as in the capture: a container need not be told it
    }
    return {"statusCode": 200, "body": body.model_copy(update=update).model_dump()}


def _invoke(runtime: Runtime, picture: bytes, content_type: str, inference_id: str) -> tuple[list[float], str]:
    """Call the endpoint; return its probabilities and its custom attributes."""
    name = runtime.settings.endpoint
    try:
        response = runtime.endpoint.invoke_endpoint(
            EndpointName=name,
            Body=picture,
            ContentType=content_type,
            Accept="application/json",
            InferenceId=inference_id,
        )
        text = response["Body"].read()
    except ClientError as error:
        raise _translate(error, name) from error
    except (HTTPClientError, BotoConnectionError) as error:
        raise EndpointBusy(f"endpoint {name} does not answer ({error}): is it running? `scones serve`") from error
    except BotoCoreError as error:
        raise EndpointRejected(f"endpoint {name} cannot be asked ({error}): correct the settings") from error
    try:
        probabilities = [float(value) for value in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise EndpointRejected(f"endpoint {name} answers no list of probabilities: {text[:80]!r}") from error
    if not probabilities:
        raise EndpointRejected(f"endpoint {name} answers an empty list: deploy a model of `scones train`")
    return probabilities, response.get("CustomAttributes", "")


def _translate(error: ClientError, name: str) -> EndpointBusy | EndpointRejected:
    """Say whether an error passes by itself."""
    details: dict[str, Any] = dict(error.response)
    status = details.get("OriginalStatusCode") or details.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = details.get("OriginalMessage") or details.get("Error", {}).get("Message", "")
    code = details.get("Error", {}).get("Code", "")
    if status in _BUSY_STATUS or code in {"ModelNotReadyException", "ThrottlingException"}:
        return EndpointBusy(f"endpoint {name} is busy ({code} {status}: {said}): try again")
    return EndpointRejected(f"endpoint {name} refuses the request ({code} {status}: {said})")


def handler(event: Any, context: Any = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point."""
    return classify_image(event, default_runtime())
