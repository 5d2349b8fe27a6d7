"""SageMaker's runtime path, called by boto3's own client."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from scones.contracts import Answer

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

Start = Callable[..., str]
Png = Callable[..., bytes]
Client = Callable[..., "SageMakerRuntimeClient"]


def test_boto3_gets_the_answer_and_its_attributes(endpoint_url: str, boto_client: Client, png_bytes: Png) -> None:
    response = boto_client(endpoint_url).invoke_endpoint(
        EndpointName="scones",
        Body=png_bytes((20, 20, 220)),
        ContentType="image/png",
        Accept="application/json",
        InferenceId="arrival-1",
        TargetVariant="AllTraffic",
    )
    bicycle, motorcycle = json.loads(response["Body"].read())
    assert motorcycle > 0.99 > bicycle
    assert response["ContentType"] == "application/json"
    assert response["InvokedProductionVariant"] == "AllTraffic"
    assert Answer.from_header(response["CustomAttributes"]).inference_id == "arrival-1"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        (b"no picture", "image/png", 400, "PictureError"),
        (b"", "image/png", 400, "PictureError"),
        (b"x" * 10_001, "image/png", 413, "PictureTooLarge"),
        (b"{}", "application/json", 415, "EndpointRejected"),
    ],
)
def test_what_the_model_refuses_is_a_model_error_with_its_original_status(
    endpoint_url: str, boto_client: Client, body: bytes, content_type: str, status: int, error: str
) -> None:
    client = boto_client(endpoint_url)
    with pytest.raises(client.exceptions.ModelError) as caught:
        client.invoke_endpoint(EndpointName="scones", Body=body, ContentType=content_type)
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert json.loads(response["OriginalMessage"])["error"] == error
    assert response["Error"]["Message"].startswith(f"Received client error ({status})")


@pytest.mark.parametrize(
    "wrong", [{"EndpointName": "other"}, {"TargetVariant": "candidate"}, {"InferenceId": "x;threshold=0"}]
)
def test_an_unknown_endpoint_or_variant_is_a_validation_error(
    endpoint_url: str, boto_client: Client, png_bytes: Png, wrong: dict[str, str]
) -> None:
    request: Any = {"EndpointName": "scones", "Body": png_bytes(), "ContentType": "image/png"} | wrong
    with pytest.raises(ClientError) as caught:
        boto_client(endpoint_url).invoke_endpoint(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_saturated_endpoint_is_service_unavailable_and_boto3_tries_again_by_itself(
    start_endpoint: Start, boto_client: Client, png_bytes: Png, gated: Any
) -> None:
    url = start_endpoint(gated, max_queue=1)
    request: Any = {"EndpointName": "scones", "Body": png_bytes(), "ContentType": "image/png"}

    def call(client: SageMakerRuntimeClient) -> bytes:
        return client.invoke_endpoint(**request)["Body"].read()

    with ThreadPoolExecutor() as callers:
        first = callers.submit(call, boto_client(url))
        assert gated.arrived.acquire(timeout=20)
        with pytest.raises(ClientError) as caught:
            boto_client(url).invoke_endpoint(**request)
        assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"

        patient = boto_client(url, attempts=10)
        patient.meta.events.register("needs-retry.sagemaker-runtime.*", lambda **_: gated.gate.set())
        assert call(patient) == first.result()
