import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scones.errors import EndpointBusy
from scones.workflow.engine import Engine, ExecutionDetail, Listed

INVOKE = "arn:aws:states:::lambda:invoke"
WAIT = 20.0


def machine(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": {"Type": "Task", "End": True, **fields}}}


def invoke(function: str = "f") -> dict[str, Any]:
    return machine(Resource=INVOKE, Parameters={"FunctionName": function, "Payload.$": "$"})


Run = Callable[..., ExecutionDetail]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(definition: dict[str, Any], given: Any, **options: Any) -> ExecutionDetail:
        with Engine(tmp_path / "journal.db", {"m": definition}, **options) as engine:
            name = engine.start("m", given).name
            return engine.wait(name, timeout=WAIT)[0]

    return run


def test_a_function_is_called_with_its_payload_and_answers_in_the_shape_of_lambda(run: Run) -> None:
    seen: list[Any] = []

    def handler(event: Any, context: Any) -> Any:
        seen.append((context.function_name, context.aws_request_id, context.get_remaining_time_in_millis()))
        event["changed"] = True
        return {"statusCode": 200, "got": event}

    ended = run(invoke("arn:aws:lambda:eu-west-1:123456789012:function:f:prod"), {"a": 1}, functions={"f": handler})
    payload = {"statusCode": 200, "got": {"a": 1, "changed": True}}
    assert ended.output == {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}
    assert ended.input == {"a": 1}
    name, request, left = seen[0]
    assert name == "f"
    assert len(request) == 36
    assert 0 < left <= 900_000


def test_a_plain_function_arn_takes_the_input_and_answers_the_answer(run: Run) -> None:
    definition = machine(Resource="arn:aws:lambda:eu-west-1:123456789012:function:f")
    assert run(definition, [1], functions={"f": lambda event, _: [*event, 2]}).output == [1, 2]


def test_an_exception_is_named_by_its_class_and_its_cause_is_json_as_lambdas(run: Run) -> None:
    def handler(event: Any, context: Any) -> Any:
        raise EndpointBusy("come back later")

    ended = run(invoke(), {}, functions={"f": handler})
    assert (ended.status, ended.error) == ("FAILED", "EndpointBusy")
    cause = json.loads(ended.cause or "")
    assert (cause["errorType"], cause["errorMessage"]) == ("EndpointBusy", "come back later")
    assert "in handler" in cause["stackTrace"][0]


def test_a_raised_string_is_a_type_error_that_no_catch_on_the_string_matches(run: Run) -> None:
    def handler(event: Any, context: Any) -> Any:
        raise ("THRESHOLD_CONFIDENCE_NOT_MET")  # type: ignore[misc] # noqa: B016 - the fault itself

    definition = invoke()
    definition["States"]["A"]["Catch"] = [{"ErrorEquals": ["THRESHOLD_CONFIDENCE_NOT_MET"], "Next": "Review"}]
    definition["States"]["Review"] = {"Type": "Succeed"}
    ended = run(definition, {}, functions={"f": handler})
    assert (ended.status, ended.error) == ("FAILED", "TypeError")


@pytest.mark.parametrize("answer", [b"bytes", {"x": {1, 2}}, float("nan"), object()])
def test_an_answer_that_is_not_json_fails_as_in_lambdas_runtime(run: Run, answer: Any) -> None:
    ended = run(invoke(), {}, functions={"f": lambda event, context: answer})
    assert (ended.status, ended.error) == ("FAILED", "Runtime.MarshalError")
    assert "Unable to marshal response" in (ended.cause or "")


def test_an_answer_over_the_limit_fails_and_can_be_caught_by_name_only(run: Run) -> None:
    functions = {"f": lambda event, context: "x" * 262_144}
    definition = invoke()
    definition["States"]["After"] = {"Type": "Pass", "End": True}
    for errors, status in [(["States.ALL"], "FAILED"), (["States.DataLimitExceeded"], "SUCCEEDED")]:
        definition["States"]["A"]["Catch"] = [{"ErrorEquals": errors, "Next": "After"}]
        ended = run(definition, {}, functions=functions)
        assert ended.status == status
        assert (ended.error or ended.output["Error"]) == "States.DataLimitExceeded"


def test_a_function_that_exits_or_is_not_there_fails_the_task_and_not_the_engine(run: Run) -> None:
    def leave(event: Any, context: Any) -> None:
        raise SystemExit(3)

    assert run(invoke(), {}, functions={"f": leave}).error == "Runtime.ExitError"
    assert run(invoke("gone"), {}, functions={"f": leave}).error == "Lambda.ResourceNotFoundException"


class Objects:
    def __init__(self, put: Callable[[str, str, bytes], None]) -> None:
        self.put = put

    def get(self, bucket: str, key: str) -> bytes:
        raise AssertionError

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        raise AssertionError


def test_an_object_is_written_as_text_or_as_json_text(run: Run) -> None:
    written: dict[tuple[str, str], bytes] = {}
    objects = Objects(lambda bucket, key, body: written.update({(bucket, key): body}))
    parameters = {"Bucket": "b", "Key.$": "$.key", "Body.$": "$.body"}
    definition = machine(Resource="arn:aws:states:::aws-sdk:s3:putObject", Parameters=parameters)
    assert run(definition, {"key": "1", "body": "plain"}, objects=objects).output["ETag"].startswith('"')
    run(definition, {"key": "2", "body": {"ü": 1}}, objects=objects)
    assert written == {("b", "1"): b"plain", ("b", "2"): '{"ü":1}'.encode()}


def test_an_object_store_that_fails_is_an_s3_exception(run: Run) -> None:
    def put(bucket: str, key: str, body: bytes) -> None:
        raise OSError("no space")

    objects = Objects(put)
    parameters = {"Bucket": "b", "Key": "k", "Body": ""}
    definition = machine(Resource="arn:aws:states:::aws-sdk:s3:putObject", Parameters=parameters)
    assert run(definition, {}, objects=objects).cause == "OSError: no space"
    assert run(definition, {}).error == "S3.S3Exception"


def child_starter(**more: str) -> dict[str, Any]:
    parameters = {"StateMachineArn": "child", "Input": {"n.$": "$.n"}, **more}
    return machine(Resource="arn:aws:states:::states:startExecution", Parameters=parameters)


CHILD = {"StartAt": "C", "States": {"C": {"Type": "Pass", "End": True}}}


def test_a_task_starts_another_machine_and_does_not_wait_for_it(tmp_path: Path) -> None:
    release = threading.Event()
    child = machine(Resource="arn:aws:lambda:eu-west-1:123456789012:function:f")
    functions = {"f": lambda event, context: release.wait(WAIT)}
    with Engine(tmp_path / "journal.db", {"parent": child_starter(), "child": child}, functions) as engine:
        engine.start("parent", {"n": 1}, name="p")
        [parent] = engine.wait("p", timeout=WAIT)
        arn = parent.output["ExecutionArn"]
        assert engine.status(arn) == "RUNNING"
        release.set()
        [started] = engine.wait(arn, timeout=WAIT)
        assert (started.machine, started.input, started.output) == ("child", {"n": 1}, True)


def test_a_named_child_is_started_once_and_another_input_is_refused(tmp_path: Path) -> None:
    machines = {"parent": child_starter(**{"Name.$": "$.name"}), "child": CHILD}
    with Engine(tmp_path / "journal.db", machines) as engine:
        for name, n in [("p1", 1), ("p2", 1), ("p3", 2)]:
            engine.start("parent", {"name": "once", "n": n}, name=name)
            engine.wait(name, timeout=WAIT)
        engine.join(WAIT)
        assert [engine.status(name) for name in ("p1", "p2", "p3")] == ["SUCCEEDED", "SUCCEEDED", "FAILED"]
        assert engine.describe("p3").error == "StepFunctions.ExecutionAlreadyExistsException"
        assert len(engine.executions(machine="child")) == 1


def test_a_child_of_a_machine_that_is_not_there_fails_the_task(run: Run) -> None:
    assert run(child_starter(), {"n": 1}).error == "StepFunctions.StateMachineDoesNotExistException"
