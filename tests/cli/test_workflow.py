"""State machines on the command line: listed, checked, drawn."""

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.cli._definitions import check
from scones.workflow.definitions import MACHINES, definition
from scones.workflow.engine import Engine, load

Scones = Callable[..., subprocess.CompletedProcess[str]]

BAD = {
    "StartAt": "First: fetch",
    "States": {
        "First: fetch": {"Type": "Task", "Resource": "${Fetch}", "Next": "Nowhere", "TimeoutSeconds": -1},
        "Lost": {"Type": "Pass", "End": True},
    },
}
TASK = {"Type": "Task", "Resource": "arn:aws:lambda:::function:${Ask}", "Next": "Done"}
NIGHTLY = {"StartAt": "Ask", "States": {"Ask": TASK, "Done": {"Type": "Succeed"}}}


def write(file: Path, document: Any) -> Path:
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def count(document: Any) -> int:
    """How many states a document has: its own and those in branches and processors."""
    states = document["States"].values()
    parts = [part for state in states for part in (*state.get("Branches", ()), state.get("ItemProcessor")) if part]
    return len(states) + sum(map(count, parts))


def test_the_applications_machines_are_listed(scones: Scones, tmp_path: Path) -> None:
    listed = json.loads(scones("workflow", "list", "--json", cwd=tmp_path).stdout)
    assert [one["machine"] for one in listed] == list(MACHINES)
    assert [one["states"] for one in listed] == [count(json.loads(definition(name))) for name in MACHINES]
    table = scones("workflow", "list", cwd=tmp_path).stdout
    assert all(name in table for name in MACHINES)


def test_the_applications_machines_are_valid(scones: Scones, tmp_path: Path) -> None:
    ended = scones("workflow", "validate", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    counts = {name: count(json.loads(definition(name))) for name in MACHINES}
    lines = [f"{name}: no problem in {n} state{'s'[: n != 1]}" for name, n in counts.items()]
    assert ended.stdout.splitlines() == lines
    assert scones("workflow", "validate", "review", cwd=tmp_path).stdout.splitlines() == lines[1:2]


def test_problems_of_jsonata_are_lines_with_their_places(scones: Scones, tmp_path: Path) -> None:
    state = {"Type": "Pass", "Output": {"x": "{% (1 %}", "y": "{% phone %}"}, "InputPath": "$", "End": True}
    write(tmp_path / "bad.json", {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}})
    ended = scones("workflow", "validate", "bad.json", cwd=tmp_path)
    assert ended.returncode == 1
    found = [line.split(": ")[1] for line in (ended.stdout + ended.stderr).splitlines() if "States.A" in line]
    assert found == ["States.A.InputPath", "States.A.Output.x", "States.A.Output.y"]


def test_every_problem_of_every_file_is_a_line_with_its_place(scones: Scones, tmp_path: Path) -> None:
    write(tmp_path / "bad.json", BAD)
    write(tmp_path / "good.asl.json", NIGHTLY)
    (tmp_path / "broken.json").write_text('{\n"StartAt": }')
    names = ", ".join(MACHINES)
    ended = scones("workflow", "validate", "bad.json", "good.asl.json", "broken.json", "none.json", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout.splitlines() == [
        "bad.json: States.First: fetch.TimeoutSeconds: must be a whole number from 1 to 99999999, not -1",
        "bad.json: States.First: fetch.Next: there is no state 'Nowhere'",
        "bad.json: States.Lost: no other state leads here",
        "good.asl.json: no problem in 2 states",
        "broken.json: the document: is no JSON: Expecting value: line 2 column 12 (char 13)",
        f"none.json: there is no file none.json, and no machine of that name: the application has {names}",
    ]
    assert ended.stderr.splitlines() == [
        "bad.json: these have no value and stand for themselves: ${Fetch}; --substitute gives them one",
        "good.asl.json: these have no value and stand for themselves: ${Ask}; --substitute gives them one",
    ]


def test_problems_and_placeholders_are_told_to_programs_too(scones: Scones, tmp_path: Path) -> None:
    write(tmp_path / "bad.json", BAD)
    ended = scones("workflow", "validate", "bad.json", "--json", cwd=tmp_path)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["problems"]) == (1, 3)
    [one] = told["definitions"]
    assert (one["name"], one["states"], one["placeholders"]) == ("bad.json", 2, ["Fetch"])
    assert [problem["place"] for problem in one["problems"]] == [
        "States.First: fetch.TimeoutSeconds",
        "States.First: fetch.Next",
        "States.Lost",
    ]


def test_a_placeholder_may_be_given_a_value_which_is_then_checked(scones: Scones, tmp_path: Path) -> None:
    write(tmp_path / "m.json", NIGHTLY)
    good = scones("workflow", "validate", "m.json", "--substitute", "Ask=ask-twice", cwd=tmp_path)
    assert (good.returncode, good.stderr) == (0, "")
    bad = scones("workflow", "validate", "m.json", "--substitute", "Ask=ask twice", cwd=tmp_path)
    assert bad.returncode == 1
    assert "States.Ask.Resource: 'arn:aws:lambda:::function:ask twice' is not supported" in bad.stdout
    unread = scones("workflow", "validate", "m.json", "--substitute", "Ask", cwd=tmp_path)
    assert (unread.returncode, unread.stderr) == (
        3,
        "scones: --substitute Ask: write Name=value, for the placeholder ${Name}\n",
    )


@pytest.mark.parametrize(
    "resource",
    [
        "${Fetch}",
        "${Fetch.Arn}",
        "arn:${AWS::Partition}:states:::lambda:invoke",
        "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${Fetch}",
    ],
)
def test_resources_that_cloudformation_fills_in_are_no_problem(resource: str, tmp_path: Path) -> None:
    state = {"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": "${Other}"}, "End": True}
    checked = check(str(write(tmp_path / "m.json", {"StartAt": "A", "States": {"A": state}})), {})
    assert checked.problems == ()
    assert "Other" in checked.placeholders


@pytest.mark.parametrize(
    "document", ["[1]", '{"States": {"A": 3}}', '"text"', "\udcff".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_machine_at_all_is_told_and_breaks_nothing(document: str | bytes, tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    file.write_bytes(document if isinstance(document, bytes) else document.encode())
    assert check(str(file), {}).problems


def test_a_machine_is_drawn_to_stdout_and_to_a_file(scones: Scones, tmp_path: Path) -> None:
    drawn = scones("workflow", "draw", "classify", cwd=tmp_path)
    assert drawn.returncode == 0
    root = ET.fromstring(drawn.stdout)
    assert [state for element in root.iter() if (state := element.get("data-state"))] == list(
        json.loads(definition("classify"))["States"]
    )
    assert "lambda · classify_image" in drawn.stdout
    written = scones("workflow", "draw", "classify", "--out", "pictures/classify.svg", cwd=tmp_path)
    file = tmp_path / "pictures/classify.svg"
    assert written.stdout.strip() == str(file)
    assert file.read_text() == drawn.stdout
    told = json.loads(scones("workflow", "draw", "classify", "--json", cwd=tmp_path).stdout)
    assert told["svg"] == drawn.stdout
    assert {"name": "ClassifyImage", "type": "Task", "drawn": True} in told["states"]


def test_a_file_of_ones_own_is_drawn_even_with_its_faults(scones: Scones, tmp_path: Path) -> None:
    write(tmp_path / "my machine.asl.json", BAD)
    drawn = scones("workflow", "draw", "my machine.asl.json", cwd=tmp_path)
    assert drawn.returncode == 0
    assert "Nowhere" in drawn.stdout
    assert ">my machine</text>" in drawn.stdout
    (tmp_path / "list.json").write_text("[]")
    refused = scones("workflow", "draw", "list.json", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (61, "")
    assert refused.stderr.startswith("scones: list.json: the definition has nothing to draw")
    missing = scones("workflow", "draw", "claasify", cwd=tmp_path)
    assert missing.returncode == 61
    assert "no machine of that name: the application has classify, review" in missing.stderr


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with an execution of a machine ``nightly``, named ``one``, and one of ``review``."""
    path = tmp_path / "journal.sqlite"
    machine = load(NIGHTLY, {"Ask": "ask"})
    review = load(
        {
            "StartAt": "Gone",
            "States": {"Gone": {"Type": "Pass", "Next": "Old"}, "Old": {"Type": "Succeed"}},
        }
    )
    with Engine(path, {"nightly": machine, "review": review}, {"ask": lambda event, context: event}) as engine:
        engine.start("nightly", {}, name="one")
        engine.start("review", {}, name="old")
        engine.wait("one", "old", timeout=30)
    return path


def test_what_an_execution_did_is_drawn(scones: Scones, journal: Path, tmp_path: Path) -> None:
    write(tmp_path / "nightly.json", NIGHTLY)
    command = ["workflow", "draw", "nightly.json", "--execution", "one", "--journal", str(journal)]
    root = ET.fromstring(scones(*command, cwd=tmp_path).stdout)
    assert {
        element.get("data-state"): element.get("data-status") for element in root.iter() if element.get("data-state")
    } == {
        "Ask": "succeeded",
        "Done": "succeeded",
    }
    told = json.loads(scones(*command, "--out", "one.svg", "--json", cwd=tmp_path).stdout)
    assert (told["execution"], told["status"], told["file"]) == ("one", "SUCCEEDED", str(tmp_path / "one.svg"))
    assert [(state["name"], state["status"], state["visits"]) for state in told["states"]] == [
        ("Ask", "succeeded", 1),
        ("Done", "succeeded", 1),
    ]


def test_an_item_of_a_distributed_map_is_drawn_in_its_machine(scones: Scones, tmp_path: Path) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "In",
        "States": {"In": {"Type": "Pass", "End": True}},
    }
    document = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": processor, "End": True}}}
    path = tmp_path / "journal.sqlite"
    with Engine(path, {"bulk": load(document)}) as engine:
        engine.start("bulk", [1], name="all")
        engine.wait("all", timeout=30)
        [item] = engine.executions("bulk/Each")
    write(tmp_path / "bulk.json", document)
    command = ["workflow", "draw", "bulk.json", "--journal", str(path), "--json", "--execution"]
    states = json.loads(scones(*command, item.name, cwd=tmp_path).stdout)["states"]
    assert {state["name"]: state.get("status") for state in states} == {"Each": None, "In": "succeeded"}
    states = json.loads(scones(*command, "all", cwd=tmp_path).stdout)["states"]
    assert {state["name"]: state.get("items") for state in states} == {"Each": 1, "In": None}


def test_states_that_a_machine_no_longer_has_are_told(scones: Scones, journal: Path, tmp_path: Path) -> None:
    drawn = scones("workflow", "draw", "review", "--execution", "old", "--journal", str(journal), cwd=tmp_path)
    assert drawn.returncode == 0
    assert drawn.stderr == "the execution was in states that review has no more, or never had: Gone, Old\n"


def test_an_execution_that_is_not_there_or_of_another_machine_is_refused(
    scones: Scones, journal: Path, tmp_path: Path
) -> None:
    missing = scones("workflow", "draw", "review", "--execution", "two", "--journal", str(journal), cwd=tmp_path)
    assert missing.returncode == 63
    assert "no execution 'two'" in missing.stderr
    other = scones("workflow", "draw", "review", "--execution", "one", "--journal", str(journal), cwd=tmp_path)
    assert other.returncode == 60
    assert "one is an execution of nightly, not of review" in other.stderr
    nowhere = scones("workflow", "draw", "review", "--execution", "one", "--journal", "none.db", cwd=tmp_path)
    assert nowhere.returncode == 62
