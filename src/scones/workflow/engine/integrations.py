"""What a Task can call outside the engine: functions, an object store, a publisher of messages.

The parameters and the shape of the answers are those of the Step Functions Developer Guide, "Integrating
services"; how a function's answer and its exceptions become JSON follows the Lambda runtime for Python.
"""

from __future__ import annotations

import hashlib
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from scones.workflow.engine.clock import Clock
from scones.workflow.engine.failure import RUNTIME, StateFailure
from scones.workflow.engine.items import Objects
from scones.workflow.engine.jsontext import Json, dump, load
from scones.workflow.engine.resources import ARN_PREFIX, Resource, function_name

__all__ = ["FunctionContext", "Integrations", "Publish", "text_parameter"]

_LONGEST_CALL: Final = 900.0
"""Seconds that Lambda gives a function at most."""

Publish: TypeAlias = Callable[[Mapping[str, Json]], str]
"""Publishes a message (the parameters of SNS Publish: ``TopicArn``, ``Message``, …), and answers its id."""


@dataclass(frozen=True, slots=True)
class FunctionContext:
    """What a function gets as its second argument: the part of Lambda's context object that functions use."""

    function_name: str
    aws_request_id: str
    clock: Clock
    deadline: float
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = "128"

    @property
    def invoked_function_arn(self) -> str:
        """The function's ARN."""
        return f"arn:aws:lambda:{ARN_PREFIX}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the Task times out, or until Lambda's own limit of 15 minutes."""
        return max(0, round(1000 * (self.deadline - self.clock.now())))


class Integrations:
    """Makes the calls of Task states.

    Args:
        functions: handlers ``handler(event, context)`` by function name.
        objects: the object store; None where no machine uses one.
        publish: publishes messages; None where no machine does.
        clock: for the time that is left to a function.
        random: for request ids.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., object]],
        objects: Objects | None,
        publish: Publish | None,
        clock: Clock,
        random: Random,
    ) -> None:
        self._functions = functions
        self._objects = objects
        self._publish = publish
        self._clock = clock
        self._random = random

    @property
    def objects(self) -> Objects:
        """The object store.

        Raises:
            StateFailure: the engine was given none.
        """
        if self._objects is None:
            raise StateFailure("S3.S3Exception", "this engine was given no object store: give it as objects=")
        return self._objects

    def call(self, resource: Resource, parameters: Json, timeout: float | None) -> Json:
        """Call a resource and answer its result.

        Args:
            resource: what to call.
            parameters: the Task's effective input.
            timeout: seconds that the Task has, None for no limit.

        Raises:
            StateFailure: with the error name that the service or the function's exception has on AWS.
        """
        if resource.kind == "function":
            return self._invoke(resource.function, parameters, timeout)
        if resource.kind == "invoke":
            payload = self._invoke(text_parameter(parameters, "FunctionName"), parameters.get("Payload", {}), timeout)
            return {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}
        if resource.kind == "publish":
            return self._send(parameters)
        return self._put(parameters)

    def _invoke(self, given_name: str, event: Json, timeout: float | None) -> Json:
        name = function_name(given_name)
        handler = self._functions.get(name)
        if handler is None:
            raise StateFailure("Lambda.ResourceNotFoundException", f"Function not found: {given_name}")
        request = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        seconds = min(_LONGEST_CALL, timeout or _LONGEST_CALL)
        context = FunctionContext(name, request, self._clock, self._clock.now() + seconds)
        try:
            # Through text and back: the function may change its event, and gets nothing that is not JSON.
            answer = handler(load(dump(event)), context)
        except SystemExit as error:
            raise StateFailure("Runtime.ExitError", _cause(error, "Runtime.ExitError")) from error
        except BaseException as error:
            # Whatever a function raises is its answer; it must not end the worker.
            raise StateFailure(type(error).__name__, _cause(error, type(error).__name__)) from error
        try:
            return load(dump(answer))
        except (TypeError, ValueError, RecursionError) as error:
            marshal = TypeError(f"Unable to marshal response: {error}")
            raise StateFailure("Runtime.MarshalError", _cause(marshal, "Runtime.MarshalError")) from error

    def _send(self, parameters: dict[str, Json]) -> Json:
        if self._publish is None:
            raise StateFailure("SNS.SnsException", "this engine was given no publisher: give it as publish=")
        try:
            return {"MessageId": self._publish(parameters)}
        except Exception as error:
            raise StateFailure("SNS.SnsException", f"{type(error).__name__}: {error}") from error

    def _put(self, parameters: dict[str, Json]) -> Json:
        bucket, key = text_parameter(parameters, "Bucket"), text_parameter(parameters, "Key")
        body = parameters.get("Body")
        data = (body if isinstance(body, str) else dump(body)).encode("utf-8", "surrogatepass")
        objects = self.objects
        try:
            objects.put(bucket, key, data)
        except Exception as error:
            raise StateFailure("S3.S3Exception", f"{type(error).__name__}: {error}") from error
        return {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'}


def text_parameter(parameters: Mapping[str, Json], key: str) -> str:
    """A parameter that must be a text.

    Raises:
        StateFailure: ``States.Runtime`` where it is none.
    """
    value = parameters.get(key)
    if not isinstance(value, str):
        raise StateFailure(RUNTIME, f"The parameter {key} must be a text, not {dump(value)[:80]}")
    return value


def _cause(error: BaseException, name: str) -> str:
    # The first frame is this module's call of the handler, which a reader of the function does not want.
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return dump({"errorMessage": str(error), "errorType": name, "stackTrace": frames})
