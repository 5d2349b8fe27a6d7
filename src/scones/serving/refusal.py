"""What a caller is told when there is no answer: one refusal, two faces.

The container's face is what SageMaker's container contract leaves to us: the status and a JSON object.
The runtime's face is what SageMaker's runtime makes of it for its callers, in the shapes of botocore's
service model of ``sagemaker-runtime``.
"""

from __future__ import annotations

import json

from starlette.responses import JSONResponse, Response

from scones.errors import EndpointBusy, EndpointRejected, PictureError, PictureTooLarge, SconesError

__all__ = ["VALIDATION_ERROR", "Refusal", "container_response", "runtime_response"]

VALIDATION_ERROR = "ValidationError"
_STATUS: tuple[tuple[type[SconesError], int], ...] = (
    (PictureTooLarge, 413),
    (PictureError, 400),
    (EndpointBusy, 503),
    (EndpointRejected, 400),
)
_RETRY_AFTER_SECONDS = "1"


class Refusal(Exception):
    """A request that is not answered with probabilities.

    Attributes:
        status: the HTTP status of the container's face.
        name: the error's class name, for programs.
        message: what is wrong and what to do, for people.
    """

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message

    @classmethod
    def of(cls, error: SconesError) -> Refusal:
        """Turn an error into a refusal; one that is not the caller's fault is a 500."""
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        return cls(status, type(error).__name__, str(error))


def container_response(refusal: Refusal) -> Response:
    """The refusal as ``/invocations`` tells it: ``{"error": class name, "message": text}``."""
    headers = {"Retry-After": _RETRY_AFTER_SECONDS} if refusal.status == 503 else None
    return JSONResponse({"error": refusal.name, "message": refusal.message}, refusal.status, headers)


def runtime_response(refusal: Refusal) -> Response:
    """The refusal as SageMaker's runtime tells it.

    ``ValidationError`` stays what it is; a saturated endpoint is ``ServiceUnavailable``, which boto3
    retries; whatever else the model's container answers arrives as ``ModelError`` with the container's
    own status and body.
    """
    if refusal.name == VALIDATION_ERROR:
        return _aws_error(400, VALIDATION_ERROR, {"Message": refusal.message})
    if refusal.status == 503:
        return _aws_error(503, "ServiceUnavailable", {"Message": refusal.message})
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


def _aws_error(status: int, name: str, fields: dict[str, str | int]) -> Response:
    headers = {"x-amzn-ErrorType": name}
    if status == 503:
        headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return JSONResponse(fields, status, headers)
