"""Assign and variables, as in the Developer Guide's "Passing data between states with variables"."""

from typing import Any

import pytest

from scones.errors import DefinitionError
from scones.workflow.engine import load

from .conftest import FUNCTION, Run


def chain(**states: dict[str, Any]) -> dict[str, Any]:
    """States one after the other, in the order given."""
    names = list(states)
    onward = [{"Next": name} for name in names[1:]] + [{"End": True}]
    return {
        "StartAt": names[0],
        "States": {
            name: state if state["Type"] in ("Choice", "Succeed", "Fail") else {**state, **next_state}
            for (name, state), next_state in zip(states.items(), onward, strict=True)
        },
    }


SHOW = {"Type": "Pass", "Parameters": {"a.$": "$a", "b.$": "$b.c[1]"}}


@pytest.mark.parametrize(
    "first",
    [
        {"Type": "Pass", "Assign": {"a.$": "$.x", "b": {"c": [1, 2]}}},
        {"Type": "Pass", "Result": {"x": 5}, "Assign": {"a.$": "$.x", "b": {"c": [1, 2]}}},
        {"Type": "Wait", "Seconds": 0, "Assign": {"a.$": "$.x", "b": {"c": [1, 2]}}},
        {"Type": "Task", "Resource": FUNCTION + "f", "ResultSelector": {"y.$": "$.x"},
         "Assign": {"a.$": "$.x", "b": {"c": [1, 2]}}, "ResultPath": None},
        {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}}],
         "Assign": {"a.$": "$[0].x", "b": {"c": [1, 2]}}},
    ],
)  # fmt: skip
def test_each_state_can_set_variables_that_later_states_read(run: Run, first: dict[str, Any]) -> None:
    ended = run(chain(F=first, S=SHOW), {"x": 5}, f=lambda event, _: event)
    assert ended.output == {"a": 5, "b": 2}


def test_all_of_an_assign_reads_the_values_from_before_it(run: Run) -> None:
    ended = run(
        chain(
            F={"Type": "Pass", "Assign": {"a": 1, "b": 2}},
            G={"Type": "Pass", "Assign": {"a.$": "$b", "b.$": "$a"}},
            S={"Type": "Pass", "Parameters": {"a.$": "$a", "b.$": "$b"}},
        ),
        {},
    )
    assert ended.output == {"a": 2, "b": 1}


def test_a_rule_of_a_choice_and_a_catch_set_their_own(run: Run) -> None:
    def fail(event: Any, context: Any) -> None:
        raise OSError("no")

    rules = [{"Variable": "$.n", "NumericEquals": 1, "Assign": {"way": "one"}, "Next": "T"}]
    catch = [{"ErrorEquals": ["OSError"], "Assign": {"error.$": "$.Error"}, "ResultPath": None, "Next": "S"}]
    definition = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": rules, "Default": "T", "Assign": {"way": "other"}},
            "T": {"Type": "Task", "Resource": FUNCTION + "fail", "Catch": catch, "Next": "S"},
            "S": {"Type": "Pass", "Parameters": {"way.$": "$way", "error.$": "$error"}, "End": True},
        },
    }
    assert run(definition, {"n": 1}, fail=fail).output == {"way": "one", "error": "OSError"}
    assert run(definition, {"n": 2}, fail=fail, name="other").output == {"way": "other", "error": "OSError"}


def test_variables_can_be_read_by_paths_of_every_kind(run: Run) -> None:
    definition = chain(
        F={"Type": "Pass", "Assign": {"v": {"list": [1, 2], "pause": 0, "yes": True}}},
        W={"Type": "Wait", "SecondsPath": "$v.pause"},
        M={"Type": "Map", "ItemsPath": "$v.list", "ItemProcessor": {
            "StartAt": "I", "States": {"I": {"Type": "Pass", "Parameters": {
                "n.$": "States.MathAdd($, $v.list[0])"}, "End": True}}}, "ResultPath": "$.m"},
        P={"Type": "Pass", "InputPath": "$v.list", "ResultPath": "$.p"},
        C={"Type": "Choice", "Choices": [{"Variable": "$v.yes", "BooleanEquals": True, "Next": "S"}]},
        S={"Type": "Succeed"},
    )  # fmt: skip
    assert run(definition, {}).output == {"m": [{"n": 2}, {"n": 3}], "p": [1, 2]}


def test_what_a_branch_sets_ends_with_it(run: Run) -> None:
    inner = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"own": 1}, "End": True}}}
    definition = chain(
        P={"Type": "Parallel", "Branches": [inner]},
        S={"Type": "Pass", "Parameters": {"own.$": "$own"}},
    )
    assert run(definition, {}).error == "States.Runtime"


def test_a_variable_that_is_too_large_is_refused(run: Run) -> None:
    definition = chain(F={"Type": "Pass", "Assign": {"v.$": "States.Format('{}{}', $, $)"}}, S={"Type": "Succeed"})
    assert run(definition, "x" * 200_000).error == "States.DataLimitExceeded"


def filling(count: int, *last: dict[str, Any]) -> dict[str, Any]:
    """States that assign so many variables of the input, and others after them."""
    states = {f"S{number}": {"Type": "Pass", "Assign": {f"v{number}.$": "$"}} for number in range(count)}
    return chain(**states, **{f"Z{number}": state for number, state in enumerate(last)})


def test_all_variables_of_an_execution_together_are_limited(run: Run) -> None:
    text = "x" * 262_000  # 40 of them are less than 10 MiB
    assert run(filling(40), text).status == "SUCCEEDED"
    ended = run(filling(41), text, name="more")
    assert (ended.error, ended.status) == ("States.DataLimitExceeded", "FAILED")


def test_what_an_assign_replaces_or_a_branch_had_no_longer_counts(run: Run) -> None:
    again = {"Type": "Pass", "Assign": {"v0.$": "$"}}
    inner = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"own.$": "$"}, "End": True}}}
    fan = {"Type": "Parallel", "Branches": [inner], "ResultPath": None}
    assert run(filling(39, again, again, fan, again), "x" * 262_000).status == "SUCCEEDED"


def test_too_many_variables_of_a_task_can_be_caught_by_name(run: Run) -> None:
    catch = [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Z1", "ResultPath": None}]
    full = {"Type": "Task", "Resource": FUNCTION + "f", "Assign": {"last.$": "$"}, "ResultPath": None, "Catch": catch}
    definition = filling(40, full, {"Type": "Pass", "Result": "caught"})
    assert run(definition, "x" * 262_000, f=lambda event, _: event).output == "caught"


@pytest.mark.parametrize("name", ["1a", "a-b", "states", "", "a" * 81])
def test_a_bad_name_is_refused_when_the_machine_is_loaded(name: str) -> None:
    with pytest.raises(DefinitionError, match="is no name of a variable"):
        load(chain(F={"Type": "Pass", "Assign": {name: 1}}))
