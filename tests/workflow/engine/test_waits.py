"""The four forms of Wait, on a clock that is moved by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.engine import Engine

from .conftest import HandClock, Run


def wait(**fields: Any) -> dict[str, Any]:
    return {"StartAt": "W", "States": {"W": {"Type": "Wait", "End": True, **fields}}}


def stamp(clock: HandClock, seconds: float) -> str:
    moment = datetime.fromtimestamp(clock.now(), UTC) + timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("form", ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"])
def test_a_wait_ends_at_its_time_and_no_sooner(tmp_path: Path, clock: HandClock, form: str) -> None:
    when = stamp(clock, 60)
    fields = {"Seconds": 60, "SecondsPath": "$.s", "Timestamp": when, "TimestampPath": "$.t"}
    with Engine(tmp_path / "j.db", {"m": wait(**{form: fields[form]})}, clock=clock) as engine:
        engine.start("m", {"s": 60, "t": when}, name="e")
        clock.move(58.9)  # of a time that is written down, fractions of a second do not count
        engine.start("m", {"s": 9999, "t": when}, name="later")  # one turn of the engine
        assert engine.status("e") == "RUNNING"
        clock.move(1.2)
        assert engine.wait("e", timeout=20)[0].output == {"s": 60, "t": when}


def test_a_time_that_has_passed_is_no_wait(run: Run) -> None:
    assert run(wait(Timestamp="2016-03-14T01:59:00Z"), 1).output == 1


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({"SecondsPath": "$.s"}, {}),
        ({"SecondsPath": "$.s"}, {"s": "1"}),
        ({"SecondsPath": "$.s"}, {"s": -1}),
        ({"TimestampPath": "$.t"}, {"t": 5}),
        ({"TimestampPath": "$.t"}, {"t": "tomorrow"}),
    ],
)
def test_a_path_to_what_is_no_time_is_a_runtime_error(run: Run, fields: dict[str, Any], given: Any) -> None:
    assert run(wait(**fields), given).error == "States.Runtime"


def test_a_wait_goes_on_after_a_restart_from_when_it_began(tmp_path: Path, clock: HandClock) -> None:
    with Engine(tmp_path / "j.db", {"m": wait(Seconds=60)}, clock=clock) as engine:
        engine.start("m", {}, name="e")
    clock.move(61)
    with Engine(tmp_path / "j.db", {"m": wait(Seconds=60)}, clock=clock) as engine:
        assert engine.wait("e", timeout=20)[0].status == "SUCCEEDED"


def test_a_clock_that_is_set_back_delays_a_wait_and_loses_nothing(tmp_path: Path, clock: HandClock) -> None:
    with Engine(tmp_path / "j.db", {"m": wait(Seconds=60)}, clock=clock) as engine:
        engine.start("m", {}, name="e")
        clock.move(-3600)
        engine.start("m", {}, name="later")
        assert engine.status("e") == "RUNNING"
        clock.move(3661)
        assert engine.wait("e", "later", timeout=20)[1].status == "SUCCEEDED"
