"""What an account does by itself and moto does not: EventBridge starts executions, Step Functions runs them.

The deployed definitions run on our engine, each function from its deployed package under AWS's own runtime client.
"""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from scones.aws.account import Account
from scones.aws.names import Names
from scones.workflow.engine import Engine, Listed, load
from tests.aws.runtime_api import FunctionFailed, LambdaFunction

_MACHINES = ("classify", "review", "batch")


class _Objects:
    """The account's buckets, as the engine's object store."""

    def __init__(self, account: Account) -> None:
        self._s3 = account.s3

    def get(self, bucket: str, key: str) -> bytes:
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        for one in self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            yield Listed(one["Key"], one["Size"], one["LastModified"].timestamp(), one["ETag"])


@contextmanager
def deployed_function(
    account: Account, names: Names, name: str, folder: Path, environment: Mapping[str, str]
) -> Iterator[Callable[[Any, Any], Any]]:
    """A function as it was deployed: its code, handler and environment; what it raises has the name of its error.

    Args:
        account, names: where it was deployed.
        name: of the function.
        folder: where its package may be unpacked.
        environment: what an account adds: credentials, region, where services are.
    """
    found = account.functions.get_function(FunctionName=name)
    configuration = found["Configuration"]
    key = found["Code"]["Location"].partition(".amazonaws.com/")[2]  # moto's link leads outside
    package = account.s3.get_object(Bucket=names.artefacts, Key=key)["Body"].read()
    zipfile.ZipFile(io.BytesIO(package)).extractall(folder / name)
    given = configuration.get("Environment", {}).get("Variables", {})
    variables = {key: str(value) for key, value in given.items()}  # moto leaves numbers
    with LambdaFunction(folder / name, configuration["Handler"], {**variables, **environment}) as function:

        def call(event: Any, _: Any) -> Any:
            try:
                return function.invoke(event)
            except FunctionFailed as error:
                raise type(error.error_type, (Exception,), {})(error.message) from error

        yield call


@contextmanager
def at_work(account: Account, names: Names, folder: Path, environment: Mapping[str, str]) -> Iterator[Engine]:
    """Let pictures that arrive start executions, until the test ends.

    Args:
        account, names: where the application was deployed.
        folder: for the journal and the unpacked packages.
        environment: as of :func:`deployed_function`.
    """
    definitions = {
        names.machine(one): account.stepfunctions.describe_state_machine(stateMachineArn=names.machine_arn(one))[
            "definition"
        ]
        for one in _MACHINES
    }
    functions = [one["FunctionName"] for one in account.functions.list_functions()["Functions"]]
    with ExitStack() as stack:
        handlers = {
            one: stack.enter_context(deployed_function(account, names, one, folder, environment)) for one in functions
        }
        machines = {name: load(text, source=name) for name, text in definitions.items()}
        engine = stack.enter_context(
            Engine(folder / "journal.sqlite", machines, handlers, _Objects(account), lambda _: "published")
        )
        stop = threading.Event()
        rule = threading.Thread(target=_follow_rule, args=(account, names, engine, stop))
        rule.start()
        stack.callback(rule.join)
        stack.callback(stop.set)
        yield engine


def _follow_rule(account: Account, names: Names, engine: Engine, stop: threading.Event) -> None:
    """Do what the deployed rule says for each object that the bucket gets."""
    rule = account.events.describe_rule(Name=f"{names.stack}-arrivals")
    [target] = account.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    detail = json.loads(rule["EventPattern"])["detail"]
    [bucket], [prefix] = detail["bucket"]["name"], [one["prefix"] for one in detail["object"]["key"]]
    text = target["InputTransformer"]["InputTemplate"]
    machine = target["Arn"].rpartition(":")[2]
    seen: set[str] = set()
    while not stop.wait(0.1):
        for one in account.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ()):
            if one["Key"] not in seen:
                seen.add(one["Key"])
                event = text.replace("<bucket>", json.dumps(bucket)).replace("<key>", json.dumps(one["Key"]))
                engine.start(machine, json.loads(event), name=f"event-{len(seen)}")
