"""The definitions: that they load, name only what is there, and hold to what Step Functions takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from scones.settings import Settings
from scones.store import Layout
from scones.workflow.definitions import MACHINES, definition, substitutions
from scones.workflow.engine import load


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(definition(name))
    return found


def states(part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each state by its name, those of a Map's processor too."""
    for name, state in part["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def without_catch(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != "Catch"}


def test_the_machines_load_and_use_every_substitution() -> None:
    names = substitutions(Settings.load(environ={}, file=None))
    for name in MACHINES:
        assert load(definition(name), names, source=name)
    text = "".join(map(definition, MACHINES))
    assert [placeholder for placeholder in names if f"${{{placeholder}}}" not in text] == []


@pytest.mark.parametrize("part", ["classify", "ClassifyManifest", "ClassifyPrefix"])
def test_nothing_waits_in_what_runs_as_express(part: str) -> None:
    flow = document(part) if part in MACHINES else document("batch")["States"][part]["ItemProcessor"]
    for _, state in states(flow):
        assert state["Type"] != "Wait"
        assert not re.search(r"\.sync|\.waitForTaskToken", state.get("Resource", ""))


def test_every_task_of_classify_tells_of_its_failure() -> None:
    catches = {name: state["Catch"][-1] for name, state in states(document("classify")) if state["Type"] == "Task"}
    assert catches.pop("NotifyFailure") == {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Failed"}
    told = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "NotifyFailure"}
    assert {name: catch for name, catch in catches.items() if catch != told} == {}


def test_an_answered_review_ends_as_classify_does() -> None:
    classify, review = document("classify")["States"], document("review")["States"]
    ends = list(classify)[list(classify).index("EndByTask") : list(classify).index("NotifyFailure")]
    assert ends[0] == "EndByTask"
    assert ends[-1] == "WriteResult"
    for name in ends:
        assert without_catch(classify[name]) == without_catch(review[name]), name


def test_a_batch_works_each_picture_as_classify_does_however_it_finds_it() -> None:
    maps = [document("batch")["States"][name] for name in ("ClassifyManifest", "ClassifyPrefix")]
    manifest, prefix = (json.dumps(one["ItemProcessor"]) for one in maps)
    assert re.sub(r"(Serialize|Classify|Answer)Line", r"\1Object", manifest) == prefix
    assert {
        key: maps[0][key] for key in maps[0] if key not in ("Comment", "ItemReader", "ItemSelector", "ItemProcessor")
    } == {key: maps[1][key] for key in maps[1] if key not in ("Comment", "ItemReader", "ItemSelector", "ItemProcessor")}
    classify, child = document("classify")["States"], maps[0]["ItemProcessor"]["States"]
    for ours, theirs in (("SerializeLine", "SerializeImage"), ("ClassifyLine", "ClassifyImage")):
        for field in ("Resource", "Parameters", "TimeoutSeconds", "Retry"):
            assert child[ours][field] == classify[theirs][field]


def test_what_the_machines_write_lies_where_the_layout_says() -> None:
    written = set(re.findall(r"States\.Format\('([a-z]+)/\{\}", "".join(map(definition, MACHINES))))
    places = (Layout.result("a"), Layout.review("a"), Layout.example("a"), Layout.batch("a"))
    assert written == {place.split("/", 1)[0] for place in places}
    assert Layout.ARRIVALS not in written


def test_moto_takes_them_too() -> None:
    from moto import mock_aws
    from moto.stepfunctions.parser.api import InvalidDefinition
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    names, role = substitutions(Settings.load(environ={}, file=None)), "arn:aws:iam::123456789012:role/r"
    # its grammar lags behind the Developer Guide in these, which stand there as they do in the definition
    lags = {
        '"EXPRESS"': '"STANDARD"',
        '"JSONL"': '"JSON"',
        'Percentage":100': 'Percentage":100.0',
        "WriterConfig": None,
    }
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        backend = stepfunctions_parser_backends["123456789012"]["eu-west-1"]
        for name in MACHINES:
            text = load(definition(name), names).text
            for ours, theirs in lags.items():
                text = text.replace(ours, theirs) if theirs else re.sub(rf',"{ours}":\{{[^}}]*\}}', "", text)
            assert backend.create_state_machine(name, text, role, sm_type="STANDARD")
            with pytest.raises(InvalidDefinition):
                backend.create_state_machine(name, text.replace('"Resource"', '"Ressource"'), role, sm_type="STANDARD")
