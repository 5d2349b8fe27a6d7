"""An arrival that was worked again and again: which of its executions counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scones.settings import Settings
from scones.store import Bucket
from scones.workflow.application import open_engine
from scones.workflow.arrivals import MACHINE, execution_name, newest_execution, start_arrival
from scones.workflow.repeats import newest, next_name, repeats

from .conftest import RED, arrive


def test_the_newest_of_an_arrivals_executions_is_the_same_whoever_asks(
    bucket: Bucket, settings: Settings, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))
    first = execution_name(bucket, key)
    with open_engine(settings) as engine:
        assert repeats(engine, MACHINE, first) == {}
        assert newest_execution(engine, bucket, key) is None
        for name in (first, f"{first}.2", f"{first}.3"):
            engine.start(MACHINE, {"image_data": "", "s3_bucket": "scones", "s3_key": key}, name=name)
            engine.wait(name, machine=MACHINE, timeout=60)
        found = dict.fromkeys((first, f"{first}.2", f"{first}.3"), "SUCCEEDED")
        assert repeats(engine, MACHINE, first) == found
        last = (f"{first}.3", "SUCCEEDED")
        assert newest_execution(engine, bucket, key) == start_arrival(engine, bucket, key) == last
        assert start_arrival(engine, bucket, key, retry_failed=True) == last


def test_an_arrival_that_is_worked_anew_takes_over_from_all_before(
    bucket: Bucket, settings: Settings, png_bytes: Callable[..., bytes]
) -> None:
    key = arrive(bucket, png_bytes(RED))
    first = execution_name(bucket, key)

    def refuse(event: Any, context: Any) -> Any:
        raise ValueError("no")

    with open_engine(settings, functions={"serialize_image": refuse}) as engine:
        for _ in range(2):
            name, _ = start_arrival(engine, bucket, key, retry_failed=True)
            engine.wait(name, machine=MACHINE, timeout=60)
    with open_engine(settings) as engine:
        name, status = start_arrival(engine, bucket, key, retry_failed=True)
        assert (name, status) == (f"{first}.3", "RUNNING")
        assert engine.describe(name, MACHINE).input["supersedes"] == [first, f"{first}.2"]
        assert start_arrival(engine, bucket, key, retry_failed=True, earlier={first: "FAILED"})[0] == f"{first}.2"


def test_names_are_counted_from_2() -> None:
    assert [next_name("a", count) for count in range(3)] == ["a", "a.2", "a.3"]
    assert newest({}) is None
    assert newest({"a": "FAILED", "a.2": "RUNNING"}) == ("a.2", "RUNNING")
