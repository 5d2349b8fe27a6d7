"""What a caller is told when there is no answer: one refusal, two faces.

The container's face is what SageMaker's container contract leaves to us: the status and a JSON object.
The runtime's face is what SageMaker's runtime makes of it for its callers, in the shapes of botocore's
service model of ``sagemaker-runtime``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from scones.errors import (
    EndpointBusy,
    EndpointRejected,
    MessageError,
    ObjectExists,
    ObjectMissing,
    PictureError,
    PictureTooLarge,
    SconesError,
)
from scones.serving.message import Reply

__all__ = ["VALIDATION_ERROR", "Refusal", "container_reply", "runtime_reply"]

VALIDATION_ERROR = "ValidationError"
_STATUS: tuple[tuple[type[SconesError], int], ...] = (
    (PictureTooLarge, 413),
    (PictureError, 400),
    (EndpointBusy, 503),
    (EndpointRejected, 400),
    (MessageError, 400),
    (ObjectMissing, 404),
    (ObjectExists, 409),
)


class Refusal(Exception):
    """A request that is not answered as the caller wished.

    Attributes:
        status: the HTTP status of the container's face.
        name: the error's class name, for programs.
        message: what is wrong and what to do, for people.
        retry_after: seconds after which to try again, where the status is 503.
        headers: further ones that go with it.
    """

    def __init__(
        self,
        status: int,
        name: str,
        message: str,
        *,
        retry_after: int = 1,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message
        self.retry_after = retry_after
        self.headers = headers

    @classmethod
    def of(cls, error: SconesError, *, otherwise: int = 500, retry_after: int = 1) -> Refusal:
        """Turn an error into a refusal; ``otherwise`` is the status of one that is not the caller's fault."""
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), otherwise)
        return cls(status, type(error).__name__, str(error), retry_after=retry_after)


def container_reply(refusal: Refusal) -> Reply:
    """The refusal as ``/invocations`` tells it: ``{"error": class name, "message": text}``."""
    told = {"error": refusal.name, "message": refusal.message}
    return Reply(refusal.status, _json(told), refusal.headers + _retry_after(refusal))


def runtime_reply(refusal: Refusal) -> Reply:
    """The refusal as SageMaker's runtime tells it.

    ``ValidationError`` stays what it is; a saturated endpoint is ``ServiceUnavailable``, which boto3
    retries; whatever else the model's container answers arrives as ``ModelError`` with the container's
    own status and body.
    """
    if refusal.name == VALIDATION_ERROR:
        return _aws_error(400, VALIDATION_ERROR, {"Message": refusal.message})
    if refusal.status == 503:
        return _aws_error(503, "ServiceUnavailable", {"Message": refusal.message}, _retry_after(refusal))
    original = json.dumps({"error": refusal.name, "message": refusal.message})
    side = "client" if refusal.status < 500 else "server"
    return _aws_error(
        424,
        "ModelError",
        {
            "Message": f'Received {side} error ({refusal.status}) from primary with message "{original}".',
            "OriginalStatusCode": refusal.status,
            "OriginalMessage": original,
        },
    )


def _retry_after(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    return (("retry-after", str(refusal.retry_after)),) if refusal.status == 503 else ()


def _aws_error(
    status: int, name: str, fields: dict[str, str | int], headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    return Reply(status, _json(fields), (("x-amzn-errortype", name), *headers))


def _json(value: Mapping[str, str | int]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
