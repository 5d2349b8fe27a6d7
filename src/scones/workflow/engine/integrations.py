"""What a Task can call: functions, another state machine, and an object store.

The resources, their parameters and the shape of their answers are those of the Step Functions Developer
Guide, "Integrating services"; how a function's answer and its exceptions become JSON follows the
Lambda runtime for Python.
"""

from __future__ import annotations

import hashlib
import re
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final, Literal, Protocol, TypeAlias

from scones.workflow.engine.clock import Clock
from scones.workflow.engine.failure import RUNTIME, StateFailure
from scones.workflow.engine.jsontext import Json, dump, load

__all__ = ["PARAMETERS", "FunctionContext", "Integrations", "PutObject", "Resource", "StartExecution", "parse_resource"]

ARN_PREFIX: Final = "local:000000000000"
"""Stands where an ARN has region and account: no machine of this engine is one of AWS's."""

Kind: TypeAlias = Literal["function", "invoke", "start", "put"]

PARAMETERS: Final[Mapping[Kind, tuple[frozenset[str], frozenset[str]]]] = {
    "invoke": (frozenset({"FunctionName"}), frozenset({"Payload"})),
    "start": (frozenset({"StateMachineArn"}), frozenset({"Input", "Name"})),
    "put": (frozenset({"Bucket", "Key", "Body"}), frozenset()),
}
"""The Parameters that a resource must have, and those that it may have; a plain function takes any."""

_SERVICES: dict[str, Kind] = {
    "lambda:invoke": "invoke",
    "states:startExecution": "start",
    "aws-sdk:s3:putObject": "put",
}
_SERVICE_ARN = re.compile(r"arn:aws[\w-]*:states:::(.+)")
_FUNCTION_ARN = re.compile(r"arn:aws[\w-]*:lambda:[^:]*:[^:]*:function:[\w-]+(?::[\w$-]+)?")
_FUNCTION_NAME = re.compile(r"(?:(?:arn:aws[\w-]*:lambda:[^:]*:)?[^:]*:function:)?([\w-]+)(?::[\w$-]+)?")
_LONGEST_CALL = 900.0
"""Seconds that Lambda gives a function at most."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A Task's Resource: what kind of call, and for a plain function ARN which function."""

    kind: Kind
    function: str = ""


def parse_resource(text: str) -> Resource:
    """Read a Resource.

    Raises:
        ValueError: this engine cannot call it.
    """
    if _FUNCTION_ARN.fullmatch(text):
        return Resource("function", _function_name(text))
    service = _SERVICE_ARN.fullmatch(text)
    if service and service[1] in _SERVICES:
        return Resource(_SERVICES[service[1]])
    known = ", ".join(f"arn:aws:states:::{name}" for name in _SERVICES)
    raise ValueError(f"{text!r} is not supported; this engine calls {known} and function ARNs")


def _function_name(text: str) -> str:
    match = _FUNCTION_NAME.fullmatch(text)
    return match[1] if match else text


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


class StartExecution(Protocol):
    """Starts an execution of a machine; answers its ARN and its start (POSIX seconds)."""

    def __call__(self, machine: str, given: Json, name: str) -> tuple[str, float]:
        """Start it, or answer the execution of that name and input that there is."""
        ...


PutObject: TypeAlias = Callable[[str, str, bytes], object]
"""Writes an object: bucket, key, body."""


class Integrations:
    """Makes the calls of Task states.

    Args:
        functions: handlers ``handler(event, context)`` by function name.
        put_object: writes an object of ``aws-sdk:s3:putObject``; None where no machine does.
        start_execution: starts another machine.
        clock: for the time that is left to a function.
        random: for request ids.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., object]],
        put_object: PutObject | None,
        start_execution: StartExecution,
        clock: Clock,
        random: Random,
    ) -> None:
        self._functions = functions
        self._put_object = put_object
        self._start_execution = start_execution
        self._clock = clock
        self._random = random

    def call(self, resource: Resource, parameters: Json, timeout: int | None, default_name: str) -> Json:
        """Call a resource and answer its result.

        Args:
            resource: what to call.
            parameters: the Task's effective input.
            timeout: seconds that the Task has, None for no limit.
            default_name: the name of an execution started without one; the same for the same visit of
                the same state, so that a Task which runs again after a crash starts no second execution.

        Raises:
            StateFailure: with the error name that the service or the function's exception has on AWS.
        """
        if resource.kind == "function":
            return self._invoke(resource.function, parameters, timeout)
        if not isinstance(parameters, dict):
            raise StateFailure(RUNTIME, f"The resource takes a JSON object, not {dump(parameters)[:80]}")
        if resource.kind == "invoke":
            payload = self._invoke(_text(parameters, "FunctionName"), parameters.get("Payload", {}), timeout)
            return {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}
        if resource.kind == "start":
            return self._start(parameters, default_name)
        return self._put(parameters)

    def _invoke(self, given_name: str, event: Json, timeout: int | None) -> Json:
        name = _function_name(given_name)
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

    def _start(self, parameters: dict[str, Json], default_name: str) -> Json:
        name = _text(parameters, "Name") if "Name" in parameters else default_name
        given = parameters.get("Input", {})
        if isinstance(given, str):
            # StartExecution takes its input as JSON text; a JSON object given in its place is what it means.
            try:
                given = load(given)
            except ValueError as error:
                raise StateFailure("StepFunctions.InvalidExecutionInputException", f"Input: {error}") from error
        arn, started = self._start_execution(_text(parameters, "StateMachineArn"), given, name)
        return {"ExecutionArn": arn, "StartDate": datetime.fromtimestamp(started, UTC).isoformat()}

    def _put(self, parameters: dict[str, Json]) -> Json:
        bucket, key, body = _text(parameters, "Bucket"), _text(parameters, "Key"), parameters.get("Body")
        data = (body if isinstance(body, str) else dump(body)).encode("utf-8", "surrogatepass")
        if self._put_object is None:
            raise StateFailure("S3.S3Exception", "this engine was given no put_object: no object can be written")
        try:
            self._put_object(bucket, key, data)
        except Exception as error:
            raise StateFailure("S3.S3Exception", f"{type(error).__name__}: {error}") from error
        return {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'}


def _text(parameters: dict[str, Json], key: str) -> str:
    value = parameters.get(key)
    if not isinstance(value, str):
        raise StateFailure(RUNTIME, f"The parameter {key} must be a text, not {dump(value)[:80]}")
    return value


def _cause(error: BaseException, name: str) -> str:
    # The first frame is this module's call of the handler, which a reader of the function does not want.
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return dump({"errorMessage": str(error), "errorType": name, "stackTrace": frames})
