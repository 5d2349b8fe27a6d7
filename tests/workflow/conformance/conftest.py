"""Runs one definition with one input on this engine and on moto's interpreter, and holds both against AWS's documents.

A case is a mapping:

``machine``
    a definition, or one ``state``: a definition of that state alone, which ends
``given``
    the execution's input; ``{}`` without it
``answers``
    what the Task of each name gets from its function, try by try, the last one again and again; a text that
    begins with ``!`` is an exception of that name
``others``
    definitions of other machines, by name, for Tasks that start executions
``output``, ``error``, ``cause`` or ``status``
    what AWS documents for it: the output of a success, else the error (with the cause, where it is stated), or
    just the status

Texts for people, such as causes, may differ; so the Cause beside an Error in the data is not compared.
"""

from __future__ import annotations

import json
import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from scones.errors import DefinitionError
from scones.workflow.engine import Engine

if TYPE_CHECKING:
    from moto.stepfunctions.parser.mocking.mock_config import MockTestCase

Case = Mapping[str, Any]

ACCOUNT, REGION = "123456789012", "eu-west-1"
PATIENCE = 20.0
"""Seconds after which an execution counts as one that does not end."""
MOST_TRIES = 8


@dataclass(frozen=True)
class Outcome:
    """How an execution ended."""

    status: str
    output: Any = None
    error: str | None = None
    cause: str | None = None


class FastClock:
    """A hundred seconds pass in one."""

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> float:
        return self._began + 100.0 * (time.time() - self._began)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds / 100.0)


def documented(case: Case) -> Outcome:
    """What AWS documents for a case."""
    if "output" in case:
        return Outcome("SUCCEEDED", without_causes(case["output"]))
    if "error" in case:
        return Outcome("FAILED", None, case["error"], case.get("cause"))
    return Outcome(case["status"])


def heard(case: Case, status: str, output: Any, error: str | None, cause: str | None) -> Outcome:
    """How an execution ended, as far as the case speaks of it."""
    return Outcome(
        status,
        without_causes(output) if status == "SUCCEEDED" else None,
        (error or "") if status == "FAILED" and "status" not in case else None,
        cause if "cause" in case else None,
    )


def without_causes(data: Any) -> Any:
    """The data with a mark in the place of each Cause that stands beside an Error."""
    if isinstance(data, list):
        return [without_causes(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {key: "…" if key == "Cause" and "Error" in data else without_causes(item) for key, item in data.items()}


def definition(case: Case) -> Mapping[str, Any]:
    """A case's definition, around its one state where it is but a state."""
    if "machine" in case:
        machine: Mapping[str, Any] = case["machine"]
        return machine
    state = case["state"]
    ends = {} if state["Type"] in ("Choice", "Succeed", "Fail") else {"End": True}
    return {"StartAt": "A", "States": {"A": {**state, **ends}}}


def tries(answers: Any) -> list[Any]:
    """A function's answer to each try."""
    listed = answers if isinstance(answers, list) else [answers]
    return [listed[min(number, len(listed) - 1)] for number in range(MOST_TRIES)]


def function(answers: Any) -> Callable[[Any, Any], Any]:
    """A function that answers so."""
    ahead = iter(tries(answers))

    def answer(event: Any, context: Any) -> Any:
        found = next(ahead)
        if isinstance(found, str) and found.startswith("!"):
            raise type(found[1:], (Exception,), {})("it does not work")
        return found

    return answer


def run_here(case: Case, journal: Path) -> Outcome:
    """Run a case on this engine."""
    functions = {name: function(answers) for name, answers in case.get("answers", {}).items()}
    machines = {"machine": definition(case), **case.get("others", {})}
    try:
        engine = Engine(journal, machines, functions, clock=FastClock())
    except DefinitionError as error:
        return Outcome("REFUSED", None, None, str(error))
    with engine:
        engine.start("machine", case.get("given", {}), name="execution")
        [found] = engine.wait("execution", machine="machine", timeout=PATIENCE)
    return heard(case, found.status, found.output, found.error, found.cause)


def mocked(answers: Mapping[str, Any]) -> MockTestCase:
    """The answers of functions, in moto's words."""
    from moto.stepfunctions.parser.mocking import mock_config as words

    def response(number: int, answer: Any) -> words.MockedResponse:
        if isinstance(answer, str) and answer.startswith("!"):
            return words.MockedResponseThrow(number, number, answer[1:], "it does not work")
        payload = {"ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200}
        return words.MockedResponseReturn(number, number, payload)

    return words.MockTestCase("machine", "case", [
        words.StateMockedResponses(name, "answers", [response(*numbered) for numbered in enumerate(tries(given))])
        for name, given in answers.items()
    ])  # fmt: skip


def run_there(case: Case) -> Outcome:
    """Run a case on moto's interpreter, in this process and without its web service."""
    from moto.stepfunctions.parser.api import InvalidDefinition, StateMachineType
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
    from moto.stepfunctions.parser.backend.execution import Execution
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    backend, role = stepfunctions_parser_backends[ACCOUNT][REGION], f"arn:aws:iam::{ACCOUNT}:role/r"
    backend.reset()
    Preprocessor._query_language_per_scope.clear()  # where a definition that it could not read left its language
    machine: Any = None
    try:
        for name, given in {**case.get("others", {}), "machine": definition(case)}.items():
            machine = backend.create_state_machine(name, json.dumps(given), role, sm_type=StateMachineType.STANDARD)
    except InvalidDefinition as error:
        return Outcome("REFUSED", None, None, str(error))
    execution = Execution(
        name="execution", sm_type=StateMachineType.STANDARD, role_arn=role, account_id=ACCOUNT, region_name=REGION,
        exec_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:machine:execution", state_machine=machine,
        start_date=datetime.now(UTC), cloud_watch_logging_session=None, activity_store={},
        input_data=json.dumps(case.get("given", {})),
    )  # fmt: skip
    worker = execution.exec_worker = execution._get_start_execution_worker()
    vars(worker)["_mock_test_case"] = mocked(case.get("answers", {}))
    thread = threading.Thread(target=worker._execution_logic, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if execution.exec_status is None:
        return Outcome("ENDLESS")
    return heard(case, execution.status, execution.output, execution.error, execution.cause)


def mend(patch: pytest.MonkeyPatch) -> None:
    """Give moto's interpreter what it lacks to run at all, and take the waits from it.

    It reads variables, and evaluates JSONata, by Java libraries that it does not carry: its own reader of paths and
    jsonata-python take their places, so that of JSONata its fields are held against this engine's, not the language. It
    hands a Task's parameters on with capitals that botocore does not know: they become small, and the answer's capital.
    """
    from scones.workflow.engine.jsonata import is_there

    assert is_there()  # it loads the library, which would change the process for the tests that follow
    from jsonata import Jsonata
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringVariableSample
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
        StateTaskService,
    )
    from moto.stepfunctions.parser.asl.jsonata import jsonata
    from moto.stepfunctions.parser.asl.utils.json_path import extract_json

    def read_variable(sample: Any, env: Any) -> None:
        name, steps = re.findall(r"\$(\w+)(.*)", sample.expression)[0]
        env.stack.append(extract_json(f"${steps}", env.variable_store.get(name)))

    def evaluated(expression: str) -> Any:
        try:
            return Jsonata(expression).evaluate(None)
        except Exception as error:
            raise jsonata.JSONataException("UNKNOWN", str(error)) from error

    def small(service: Any, parameters: dict[str, Any], *_: Any, **__: Any) -> None:
        if service.resource.service_name == "states":
            rename(parameters, str.lower)

    def capital(service: Any, response: Any, *_: Any, **__: Any) -> None:
        if service.resource.service_name == "states":
            rename(response, str.upper)

    patch.setattr(jsonata, "_eval_jsonata", evaluated)
    patch.setattr(StringVariableSample, "_eval_body", read_variable)
    patch.setattr(StateTaskService, "_normalise_parameters", small)
    patch.setattr(StateTaskService, "_normalise_response", capital)
    patch.setattr(state_task_service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.01)
    patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: None))


def rename(fields: dict[str, Any], case: Callable[[str], str]) -> None:
    """Change the first letter of each field's name."""
    for name in list(fields):
        fields[case(name[0]) + name[1:]] = fields.pop(name)


@pytest.fixture(scope="module")
def moto() -> Iterator[Callable[[Case], Outcome]]:
    """Runs a case on moto's interpreter."""
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch, mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        mend(patch)
        yield run_there


@pytest.fixture(scope="module")
def disagreements(request: pytest.FixtureRequest) -> dict[str, str]:
    """The cases of a module on which an interpreter is known to disagree with AWS's documents, and which one does."""
    text = (Path(__file__).parent / "disagreements.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text).get(request.path.stem.removeprefix("test_"), [])
    return {case: entry.get("who", "moto") for entry in entries for case in entry["cases"]}


@pytest.fixture
def conform(
    moto: Callable[[Case], Outcome], disagreements: Mapping[str, str], tmp_path: Path
) -> Callable[[str, Case], None]:
    """Hold both interpreters against what AWS documents for a case, and against the list of disagreements."""

    def check(name: str, case: Case) -> None:
        expected, who = documented(case), disagreements.get(name)
        for interpreter, found in (("this engine", run_here(case, tmp_path / "journal.db")), ("moto", moto(case))):
            if who in (interpreter, "both"):
                assert found != expected, f"{interpreter} agrees with AWS by now: take the case off disagreements.toml"
            else:
                assert found == expected, f"{interpreter} disagrees with AWS: mend it, or put it on disagreements.toml"

    return check
