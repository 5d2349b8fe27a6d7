"""Three engines that run the same workflow of three tasks whose handlers do nothing, each as fast as it can.

As a script: `contenders.py NAME SECONDS` keeps 64 executions going for so long, in a process of its own, and prints
executions a second as JSON. Each answer is checked.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from scones.workflow.engine import Engine, Event

__all__ = ["CONTENDERS", "IN_FLIGHT", "MACHINE", "RunOne", "engine_contender", "keep_busy"]

IN_FLIGHT = 64
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
STATES = ("A", "B", "C")
MACHINE: dict[str, Any] = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Task", "Resource": FUNCTION, "Next": "B"},
        "B": {"Type": "Task", "Resource": FUNCTION, "Next": "C"},
        "C": {"Type": "Task", "Resource": FUNCTION, "End": True},
    },
}
DBOS_POOL = 2
"""Connections that dbos may use: with more of them it waits for SQLite's lock and is slower."""

RunOne = Callable[[int], Any]
"""Runs an execution with the number as its input, and answers its output."""


def keep_busy(run_one: RunOne, goes_on: Callable[[int], bool], first: int = 0) -> int:
    """Keep 64 executions going, numbered from the first, while it goes on; answers how many there were."""
    numbers = itertools.count(first)

    def client() -> None:
        while goes_on(number := next(numbers)):
            output = run_one(number)
            assert output == {"n": number}, output

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        clients = [pool.submit(client) for _ in range(IN_FLIGHT)]
    for one in clients:
        one.result()
    return next(numbers) - first - IN_FLIGHT


def peer(module: str) -> Any:
    """A module of another engine."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: make bench-workflow installs it and runs this benchmark")


@contextmanager
def engine_contender(folder: Path) -> Iterator[RunOne]:
    """This project's engine: the journal with synchronous=FULL, as always."""
    waiting: dict[str, SimpleQueue[Any]] = {}

    def told(event: Event) -> None:
        if event.type == "ExecutionSucceeded":
            waiting.pop(event.execution).put(event.details["output"])

    def run_one(number: int) -> Any:
        name = f"e{number}"
        answer = waiting[name] = SimpleQueue[Any]()
        engine.start("m", {"n": number}, name=name)
        return answer.get()

    functions = {"f": lambda event, _: event}
    with Engine(folder / "journal.db", {"m": MACHINE}, functions, concurrency=IN_FLIGHT, on_event=told) as engine:
        yield run_one


@contextmanager
def dbos_contender(folder: Path) -> Iterator[RunOne]:
    """dbos on SQLite: a workflow of three steps.

    By itself it leaves SQLite's rollback journal on, with which it is several times slower: here the file is in WAL
    mode before dbos opens it. synchronous=FULL is set for each connection, which is also SQLite's default.
    """
    dbos, sqlalchemy = peer("dbos"), peer("sqlalchemy")
    file = folder / "dbos.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "connect", lambda one, _: one.execute("PRAGMA synchronous = FULL"))

    def step(value: Any) -> Any:
        return value

    steps = [dbos.DBOS.step(name=name)(step) for name in STATES]

    def flow(value: Any) -> Any:
        for one in steps:
            value = one(value)
        return value

    workflow = dbos.DBOS.workflow(name="m")(flow)
    dbos.DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{file}",
            "sys_db_pool_size": DBOS_POOL,
            "console_log_level": "ERROR",
            "log_level": "ERROR",
        }
    )
    dbos.DBOS.launch()
    try:
        yield lambda number: dbos.DBOS.start_workflow(workflow, {"n": number}).get_result()
    finally:
        dbos.DBOS.destroy()


@contextmanager
def moto_contender(_: Path) -> Iterator[RunOne]:
    """moto's interpreter of Step Functions as a library: it keeps nothing.

    It calls Lambda functions in Docker only, so its Tasks are answered by its own recorded responses, which calls no
    handler; and the definition is parsed once, where moto parses it for each execution. Both are to its advantage.
    """
    worker = peer("moto.stepfunctions.parser.backend.execution_worker").SyncExecutionWorker
    details = peer("moto.stepfunctions.parser.asl.eval.evaluation_details")
    mocks = peer("moto.stepfunctions.parser.mocking.mock_config")
    parser = peer("moto.stepfunctions.parser.asl.parse.asl_parser").AmazonStateLanguageParser
    definition = json.dumps(MACHINE)
    program = parser.parse(definition)[0]
    account, arn = "123456789012", "arn:aws:states:us-east-1:123456789012:{}:m"
    role = "arn:aws:iam::123456789012:role/r"
    by = details.AWSExecutionDetails(account, "us-east-1", role)
    of = details.StateMachineDetails(arn=arn.format("stateMachine"), name="m", typ="STANDARD", definition=definition)

    class Parsed(worker):  # type: ignore[misc, valid-type]
        def _get_evaluation_entrypoint(self) -> Any:
            return program

    class Nobody:
        def terminated(self) -> None:
            """Nobody waits for the end."""

    def run_one(number: int) -> Any:
        answer = mocks.MockedResponseReturn(0, 0, {"StatusCode": 200, "Payload": {"n": number}})
        answers = mocks.MockTestCase("m", "t", [mocks.StateMockedResponses(name, "r", [answer]) for name in STATES])
        one = details.ExecutionDetails(
            arn=f"{arn.format('execution')}:e{number}", name=f"e{number}", role_arn=role, inpt={"n": number},
            start_time=datetime.now(UTC).isoformat(),
        )  # fmt: skip
        execution = Parsed(details.EvaluationDetails(by, one, of), Nobody(), None, {}, answers)
        execution.start()
        return execution.env.states.get_input()

    yield run_one


CONTENDERS: dict[str, Callable[[Path], AbstractContextManager[RunOne]]] = {
    "scones": engine_contender,
    "dbos": dbos_contender,
    "moto": moto_contender,
}


def main() -> None:
    name, seconds = sys.argv[1], float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, CONTENDERS[name](Path(folder)) as run_one:
        warm = keep_busy(run_one, lambda number: number < IN_FLIGHT)
        begun = time.monotonic()
        count = keep_busy(run_one, lambda _: time.monotonic() < begun + seconds, warm)
        took = time.monotonic() - begun
    print(json.dumps({"per_second": round(count / took, 1), "executions": count}))


if __name__ == "__main__":
    main()
