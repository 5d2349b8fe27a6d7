"""JSONata states, as in AWS's "Transforming data with JSONata in Step Functions" and the States Language's "JSONata
Concepts"."""

import math
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from scones.errors import DefinitionError
from scones.workflow.diagram import draw
from scones.workflow.engine import Engine, load
from scones.workflow.engine.machine import Map, Task

from .conftest import FUNCTION, HandClock, MemoryObjects, Run

DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def machine(*, language: str = "JSONata", **states: dict[str, Any]) -> dict[str, Any]:
    """States one after the other, in the order given; a state with its own Next keeps it."""
    names = list(states)
    onward = [{"Next": name} for name in names[1:]] + [{"End": True}]
    plain = ("Choice", "Succeed", "Fail")
    made = {
        name: state if state["Type"] in plain or "Next" in state or "End" in state else {**state, **leads}
        for (name, state), leads in zip(states.items(), onward, strict=True)
    }
    return {"QueryLanguage": language, "StartAt": names[0], "States": made}


def passing(output: Any, **fields: Any) -> dict[str, Any]:
    return machine(A={"Type": "Pass", "Output": output, **fields})


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION + "f", **fields}


def mapping(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": processor, **fields}


def flow(**states: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in machine(language="JSONata", **states).items() if key != "QueryLanguage"}


def child(**states: dict[str, Any]) -> dict[str, Any]:
    return {**flow(**states), "ProcessorConfig": DISTRIBUTED}


ECHO = {"Type": "Pass"}


def problems_of(definition: dict[str, Any]) -> list[str]:
    with pytest.raises(DefinitionError) as refused:
        load(definition)
    return [line.strip() for line in str(refused.value).splitlines()[1:]]


# Expressions


def test_only_a_text_that_begins_and_ends_with_the_marks_is_an_expression(run: Run) -> None:
    literals = {"a": " {% 1 %}", "b": "$states.input", "c.$": "$", "d": [None, {"e": "{% 1 %} "}], "f": "{%}"}

    ended = run(passing({**literals, "n": "{% 1 + 1 %}", "deep": [{"x": "{%'y'%}"}]}), {})

    assert ended.output == {**literals, "n": 2, "deep": [{"x": "y"}]}


def test_an_expression_may_give_the_whole_output(run: Run) -> None:
    assert (
        run(passing("{% $states.input.orders[n > 1].p %}"), {"orders": [{"n": 1, "p": 3}, {"n": 2, "p": 5}]}).output
        == 5
    )


def test_null_is_a_value_and_stays_one(run: Run) -> None:
    given = {"a": None, "list": [1, None, 2]}
    wanted = {"all": "{% $states.input %}", "a": "{% $states.input.a %}", "types": "{% $states.input.list.$type($) %}"}

    assert run(passing(wanted), given).output == {"all": given, "a": None, "types": ["number", "null", "number"]}


def test_states_tells_the_input_and_the_context_object(run: Run) -> None:
    wanted = {"in": "{% $states.input.x %}", "name": "{% $states.context.Execution.Name %}",
              "at": "{% $states.context.State.Name %}", "given": "{% $states.context.Execution.Input %}"}  # fmt: skip

    ended = run(passing(wanted), {"x": 1}, name="first")

    assert ended.output == {"in": 1, "name": "first", "at": "A", "given": {"x": 1}}


def test_an_expression_that_takes_states_as_a_whole_sees_all_of_it(run: Run) -> None:
    assert run(passing("{% $lookup($states, 'context').Execution.Name %}"), {}, name="first").output == "first"


def test_a_variable_set_inside_an_expression_is_none_of_the_machine(run: Run) -> None:
    definition = machine(A={"Type": "Pass", "Output": "{% ($v := 2; $v) %}", "Assign": {"v": 1}},
                         B={"Type": "Pass", "Output": ["{% $states.input %}", "{% $v %}"]})  # fmt: skip
    assert run(definition, {}).output == [2, 1]


def test_data_is_not_changed_by_an_expression(run: Run) -> None:
    definition = passing(["{% $states.input.empty{'k': 1} %}", "{% $states.input.empty %}", "{% $states.input %}"])
    assert run(definition, {"empty": []}).output == [{"k": 1}, [], {"empty": []}]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1..7], 3)", [[1, 2, 3], [4, 5, 6], [7]]),
        ("$range(0, 10, 3)", [0, 3, 6, 9]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("'input data' ~> $hash('SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$parse('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("$map(['1', 'true'], $parse)", [1, True]),
        ("$random(5) = $random(5)", True),
        ("$random(5) != $random(6)", True),
        ("$random() >= 0 and $random() < 1", True),
        ("$contains($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)", True),
        ("$uuid() != $uuid()", True),
        ("$replace('abc', /(b)/, '[$1$2$12]')", "a[bb2]c"),
        ("$split('a1b22c', /\\d+/)", ["a", "b", "c"]),
        ("$match('aBb', /B/i).match", ["B", "b"]),
        ("$distinct([2, 1, '1', true, 1, null, {'a': [1]}, {'a': [1]}, null])", [2, 1, "1", True, None, {"a": [1]}]),
        ("[3, 3] ~> $distinct", 3),
        ("$exists($distinct($states.input.none))", False),
        ("$distinct('a')", "a"),
    ],
)
def test_the_functions_that_step_functions_adds_and_regular_expressions(run: Run, expression: str, value: Any) -> None:
    assert run(passing(f"{{% {expression} %}}"), {}).output == value


def test_the_time_is_that_of_the_engine(tmp_path: Path, clock: HandClock) -> None:
    clock.move(1_000_000_000.5 - clock.now())
    with Engine(tmp_path / "journal.db", {"m": passing(["{% $millis() %}", "{% $now() %}"])}, clock=clock) as engine:
        engine.start("m", {}, name="e")
        [ended] = engine.wait("e", timeout=20)
    assert ended.output == [1_000_000_000_500, "2001-09-09T01:46:40.500Z"]


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.none",  # undefined
        "$undefined",
        "'a' + 1",
        "1 / 0",
        "$error('no')",
        "$states.input()",
        "$none()",
        "function($x) { $x }",  # no JSON
        "$sum",
        "{'f': $sum}",
        "/a/",
        "1e308 * 10",
        "$parse('{')",
        "$partition([1], 0)",
        "$range(1, 2, 0)",
        "$hash('a', 'CRC')",
        "($f := function() { $f() + 1 }; $f())",  # without end
        "$reduce([1..60], function($a) { $a & $a }, 'xxxxxxxxxx')",
        "$pad('a', 100000000000000)",  # of more than any memory
        "$pad('a', -100000000000000)",
        "$now('[Y,1000000000000-1000000000000]')",
    ],
)
def test_what_fails_or_is_no_json_is_a_query_evaluation_error(run: Run, expression: str) -> None:
    ended = run(passing({"x": f"{{% {expression} %}}"}), {})

    assert ended.error == "States.QueryEvaluationError"
    assert ended.cause is not None
    assert f"The JSONata expression {expression!r} of States.A.Output.x fails: " in ended.cause


@pytest.mark.parametrize("expression", ["($f := function() { $f() }; $f())", "$contains($states.input, /^(a|aa)+$/)"])
def test_an_expression_that_would_take_for_ever_is_stopped(run: Run, expression: str) -> None:
    assert run(passing(f"{{% {expression} %}}"), "a" * 80 + "b").error == "States.QueryEvaluationError"


def test_many_things_are_told_apart_quickly(run: Run) -> None:
    assert run(passing("{% $count($distinct($states.input)) %}"), [*range(40_000)]).output == 40_000


def test_what_is_not_a_number_is_no_json(run: Run) -> None:
    assert (
        run(machine(A=task(Output="{% $states.result %}")), {}, f=lambda *_: math.nan).error == "Runtime.MarshalError"
    )


# Fields of states


def test_arguments_make_what_a_task_gets_and_output_what_the_state_gives(run: Run) -> None:
    definition = machine(
        A={
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "f", "Payload": {"n": "{% $states.input.n * 2 %}"}},
            "Output": {"was": "{% $states.input.n %}", "is": "{% $states.result.Payload %}"},
            "Assign": {"seen": "{% $states.result.StatusCode %}"},
        },
        B={"Type": "Succeed", "Output": "{% [$states.input, $seen] %}"},
    )  # fmt: skip
    assert run(definition, {"n": 4}, f=lambda event, _: event["n"] + 1).output == [{"was": 4, "is": 9}, 200]


def test_without_arguments_the_input_is_passed_and_without_output_the_result(run: Run) -> None:
    assert run(machine(A=task()), {"n": 4}, f=lambda event, _: [event]).output == [{"n": 4}]
    assert run(machine(A={"Type": "Pass"}, B={"Type": "Succeed"}), {"n": 4}, name="other").output == {"n": 4}


def test_arguments_may_be_any_json_where_a_function_takes_it(run: Run) -> None:
    assert run(machine(A=task(Arguments=None)), {"n": 4}, f=lambda event, _: [event]).output == [None]
    assert run(machine(A=task(Arguments="{% $states.input.n %}")), {"n": 4}, name="o", f=lambda e, _: [e]).output == [4]


def test_arguments_of_a_service_must_make_an_object(run: Run) -> None:
    definition = machine(A={"Type": "Task", "Resource": "arn:aws:states:::states:startExecution",
                            "Arguments": "{% 'x' %}"})  # fmt: skip
    assert run(definition, {}).error == "States.QueryEvaluationError"


def test_a_parallel_gives_its_arguments_to_every_branch(run: Run) -> None:
    definition = machine(
        A={"Type": "Parallel", "Arguments": {"x": "{% $states.input.a %}"}, "Branches": [flow(B=ECHO), flow(C=ECHO)],
           "Output": {"both": "{% $states.result %}", "in": "{% $states.input %}"}},
    )  # fmt: skip
    assert run(definition, {"a": 1}).output == {"both": [{"x": 1}, {"x": 1}], "in": {"a": 1}}


def test_assign_sees_the_values_from_before_the_state(run: Run) -> None:
    definition = machine(
        A={"Type": "Pass", "Assign": {"x": 5}},
        B={"Type": "Pass", "Assign": {"x": 42, "old": "{% $x %}"}, "Output": "{% $x %}"},
        C={"Type": "Pass", "Output": ["{% $x %}", "{% $old %}", "{% $states.input %}"]},
    )
    assert run(definition, {}).output == [42, 5, 5]


@pytest.mark.parametrize(("given", "output"), [(1, ["one", 1]), (2, ["many", {"n": 2}]), (3, ["other", "neither"])])
def test_the_first_condition_that_is_true_says_where_to_go_with_its_own_output(
    run: Run, given: int, output: list[Any]
) -> None:
    rules = [
        {"Condition": False, "Next": "E"},
        {"Condition": "{% $states.input.n = 1 %}", "Output": "{% $states.input.n %}", "Assign": {"v": "one"},
         "Next": "E"},
        {"Condition": "{% $states.input.n = 2 %}", "Assign": {"v": "many"}, "Next": "E"},
    ]  # fmt: skip
    definition = machine(
        C={"Type": "Choice", "Choices": rules, "Default": "E", "Output": "neither", "Assign": {"v": "other"}},
        E={"Type": "Pass", "Output": ["{% $v %}", "{% $states.input %}"]},
    )
    assert run(definition, {"n": given}).output == output


def test_a_condition_that_gives_no_truth_value_is_a_query_evaluation_error(run: Run) -> None:
    definition = machine(
        C={"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "E"}]}, E={"Type": "Succeed"}
    )
    assert run(definition, {}).error == "States.QueryEvaluationError"


def test_a_choice_without_a_match_is_the_same_error_as_ever(run: Run) -> None:
    definition = machine(C={"Type": "Choice", "Choices": [{"Condition": False, "Next": "E"}]}, E={"Type": "Succeed"})
    assert run(definition, {}).error == "States.NoChoiceMatched"


@pytest.mark.parametrize("field", [{"Seconds": "{% $states.input.s %}"}, {"Timestamp": "{% $fromMillis($millis()) %}"}])
def test_a_wait_takes_its_time_from_an_expression(run: Run, field: dict[str, str]) -> None:
    assert run(machine(W={"Type": "Wait", **field, "Output": "{% $states.input.s + 1 %}"}), {"s": 0}).output == 1


@pytest.mark.parametrize("field", [{"Seconds": "{% -1 %}"}, {"Seconds": "{% 0.5 %}"}, {"Timestamp": "{% 'now' %}"}])
def test_a_wait_for_what_is_no_time_is_a_query_evaluation_error(run: Run, field: dict[str, str]) -> None:
    assert run(machine(W={"Type": "Wait", **field}), {}).error == "States.QueryEvaluationError"


def test_a_fail_takes_its_error_and_cause_from_expressions(run: Run) -> None:
    ended = run(
        machine(F={"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'it ' & 'is' %}"}), {"e": "E"}
    )
    assert (ended.error, ended.cause) == ("E", "it is")
    assert run(machine(F={"Type": "Fail", "Error": "{% 1 %}"}), {}, name="o").error == "States.QueryEvaluationError"


def test_timeouts_may_be_expressions(tmp_path: Path, clock: HandClock) -> None:
    began, hold = threading.Event(), threading.Event()

    def work(*_: Any) -> None:
        began.set()
        hold.wait(20)

    fields = {"TimeoutSeconds": "{% $states.input.t %}", "HeartbeatSeconds": "{% 30 %}"}
    caught = [{"ErrorEquals": ["States.Timeout"], "Next": "E", "Output": "{% $states.errorOutput.Error %}"}]
    definition = machine(A=task(**fields, Catch=caught), E={"Type": "Succeed"})
    with Engine(tmp_path / "journal.db", {"m": definition}, {"f": work}, clock=clock) as engine:
        engine.start("m", {"t": 60}, name="e")
        assert began.wait(20)
        clock.move(31)
        [ended] = engine.wait("e", timeout=20)
        hold.set()
    assert ended.output == "States.HeartbeatTimeout"


@pytest.mark.parametrize("value", ["{% 'soon' %}", "{% 0 %}", "{% 1.5 %}", "{% $none %}"])
def test_a_timeout_that_is_no_positive_whole_number_can_be_caught(run: Run, value: str) -> None:
    caught = [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "E", "Output": "caught"}]
    definition = machine(A=task(TimeoutSeconds=value, Catch=caught), E={"Type": "Succeed"})
    assert run(definition, {}, f=lambda *_: 1).output == "caught"


def test_a_catch_gives_the_error_or_what_its_output_makes(run: Run) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no")

    own = {"Output": {"in": "{% $states.input.n %}", "error": "{% $states.errorOutput.Error %}"},
           "Assign": {"why": "{% $parse($states.errorOutput.Cause).errorMessage %}"}}  # fmt: skip
    catch = {"ErrorEquals": ["OSError"], "Next": "E"}
    show = {"Type": "Pass", "Output": ["{% $states.input %}", "{% $why %}"]}

    ended = run(machine(A=task(Catch=[{**catch, **own}]), E=show), {"n": 1}, f=fail)
    plain = run(machine(A=task(Catch=[catch]), E={"Type": "Succeed"}), {"n": 1}, name="plain", f=fail)

    assert ended.output == [{"in": 1, "error": "OSError"}, "no"]
    assert (plain.output["Error"], sorted(plain.output)) == ("OSError", ["Cause", "Error"])


@pytest.mark.parametrize("names", ["States.QueryEvaluationError", "States.TaskFailed", "States.ALL"])
def test_a_failing_expression_of_a_task_can_be_tried_again_and_caught(run: Run, names: str) -> None:
    calls: list[Any] = []
    retry = [{"ErrorEquals": [names], "MaxAttempts": 1, "IntervalSeconds": 1, "MaxDelaySeconds": 2}]
    catch = [{"ErrorEquals": [names], "Next": "E", "Output": "{% $states.errorOutput.Error %}"}]
    definition = machine(A=task(Output="{% $states.result.none %}", Retry=retry, Catch=catch), E={"Type": "Succeed"})

    ended = run(definition, {}, f=lambda event, _: calls.append(event))

    assert (ended.output, len(calls)) == ("States.QueryEvaluationError", 2)


def test_a_token_is_handed_on_from_the_context_object(tmp_path: Path) -> None:
    asked: list[Any] = []
    heard = threading.Event()

    def ask(event: Any, _: Any) -> None:
        asked.append(event)
        heard.set()

    payload = {"FunctionName": "f", "Payload": {"token": "{% $states.context.Task.Token %}"}}
    definition = machine(A={"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                            "Arguments": payload, "Output": "{% $states.result.ok %}"})  # fmt: skip
    with Engine(tmp_path / "journal.db", {"m": definition}, {"f": ask}) as engine:
        engine.start("m", {}, name="e")
        assert heard.wait(20)
        engine.send_task_success(asked[0]["token"], {"ok": True})
        [ended] = engine.wait("e", timeout=20)
    assert ended.output is True


# Maps


def test_items_come_from_an_expression_a_list_or_the_input(run: Run) -> None:
    processor = flow(I={"Type": "Pass", "Output": "{% $states.input * 2 %}"})
    items = {"Items": "{% $states.input.list %}"}

    assert run(machine(M=mapping(processor, **items)), {"list": [1, 2]}).output == [2, 4]
    assert run(machine(M=mapping(processor, Items=[3, "{% 4 %}"])), {}, name="list").output == [6, 8]
    assert run(machine(M=mapping(processor)), [5], name="input").output == [10]
    assert run(machine(M=mapping(processor)), {}, name="none").error == "States.QueryEvaluationError"


def test_the_item_selector_knows_the_item_and_the_maps_input(run: Run) -> None:
    selector = {"i": "{% $states.context.Map.Item.Index %}", "v": "{% $states.context.Map.Item.Value %}",
                "all": "{% $count($states.input.list) %}", "from": "{% $states.context.Map.Item.Source %}"}  # fmt: skip
    made = mapping(flow(I=ECHO), Items="{% $states.input.list %}", ItemSelector=selector,
                   MaxConcurrency="{% $states.input.n %}", Output={"got": "{% $states.result %}"})  # fmt: skip

    ended = run(machine(M=made), {"list": ["a", "b"], "n": 1})

    assert ended.output == {"got": [{"i": index, "v": value, "all": 2, "from": "STATE_DATA"}
                                    for index, value in enumerate("ab")]}  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"Items": "{% 1 %}"},
        {"Items": "{% {'a': 1} %}"},
        {"MaxConcurrency": "{% -1 %}"},
        {"MaxConcurrency": "{% 'a' %}"},
    ],
)
def test_a_map_with_what_is_of_no_use_is_a_query_evaluation_error(run: Run, fields: dict[str, Any]) -> None:
    assert run(machine(M=mapping(flow(I=ECHO), **{"Items": [1], **fields})), {}).error == "States.QueryEvaluationError"


def test_a_distributed_map_takes_all_its_numbers_from_expressions(run: Run) -> None:
    batcher = {"MaxItemsPerBatch": "{% $states.input.per %}", "MaxInputBytesPerBatch": "{% 1000 %}",
               "BatchInput": {"x": "{% $states.input.x %}"}}  # fmt: skip
    made = mapping(child(I={"Type": "Pass", "Output": "{% [$states.input.BatchInput.x, $states.input.Items] %}"}),
                   Items="{% [1..3] %}", ItemBatcher=batcher, MaxConcurrency="{% 1 %}",
                   ItemSelector="{% $states.context.Map.Item.Value * 10 %}",
                   ToleratedFailureCount="{% 0 %}", ToleratedFailurePercentage="{% 50 %}")  # fmt: skip

    assert run(machine(M=made), {"per": 2, "x": "y"}).output == [["y", 10, 20], ["y", 30]]


def test_a_distributed_map_gives_a_child_for_each_member_of_an_object(run: Run) -> None:
    made = mapping(child(I=ECHO), Items="{% {'a': 1, 'b': 2} %}",
                   ItemSelector="{% $states.context.Map.Item.Key & $states.context.Map.Item.Value %}")  # fmt: skip
    assert run(machine(M=made), {}).output == ["a1", "b2"]


def test_reader_and_writer_take_arguments(run: Run, objects: MemoryObjects) -> None:
    objects.contents["b", "items.json"] = b"[1, 2, 3]"
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"MaxItems": "{% $states.input.most %}"},
              "Arguments": {"Bucket": "b", "Key": "{% $states.input.key %}"}}  # fmt: skip
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": "{% {'Bucket': 'b', 'Prefix': 'out'} %}"}
    made = mapping(child(I=ECHO), ItemReader=reader, ResultWriter=writer,
                   Output="{% $states.result.ResultWriterDetails.Bucket %}")  # fmt: skip

    assert run(machine(M=made), {"key": "items.json", "most": 2}).output == "b"
    [written] = [key for _, key in objects.contents if key.endswith("SUCCEEDED_0.json")]
    assert objects.contents["b", written].count(b'"Status":"SUCCEEDED"') == 2


@pytest.mark.parametrize("reads", [True, False])
def test_arguments_of_reader_and_writer_must_make_an_object(run: Run, objects: MemoryObjects, reads: bool) -> None:
    reader = {"ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Arguments": "{% 1 %}"}}
    writer = {"ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Arguments": "{% 1 %}"}}
    made = mapping(child(I=ECHO), **(reader if reads else {"Items": [1], **writer}))
    assert run(machine(M=made), {}).error == "States.QueryEvaluationError"


def test_a_machine_of_paths_may_have_states_of_jsonata_that_share_its_variables(run: Run) -> None:
    definition = machine(
        language="JSONPath",
        A={"Type": "Pass", "Parameters": {"n.$": "$.x"}, "Assign": {"v.$": "$.n"}},
        M={"Type": "Map", "QueryLanguage": "JSONata", "Items": "{% [1..$v] %}", "Assign": {"w": "{% $v + 1 %}"},
           "ItemProcessor": flow(I={"Type": "Pass", "Parameters": {"i.$": "$", "v.$": "$v"}})},
        Z={"Type": "Pass", "Parameters": {"all.$": "$", "w.$": "$w"}},
    )  # fmt: skip
    assert run(definition, {"x": 2}).output == {"all": [{"i": 1, "v": 2}, {"i": 2, "v": 2}], "w": 3}


# What a journal keeps


@pytest.mark.parametrize("distributed", [False, True])
def test_what_a_map_began_with_is_not_evaluated_again_after_a_restart(
    tmp_path: Path, clock: HandClock, distributed: bool
) -> None:
    began, go = threading.Event(), threading.Event()

    def work(event: Any, _: Any) -> Any:
        began.set()
        go.wait(20)
        return event

    processor = (child if distributed else flow)(I=task())
    made = mapping(processor, Items="{% [1..3].($ + $millis()) %}", MaxConcurrency="{% 1 %}")
    path, functions, now = tmp_path / "journal.db", {"f": work}, round(1000 * clock.now())
    with Engine(path, {"m": machine(M=made)}, functions, clock=clock) as engine:
        engine.start("m", 7, name="e")
        assert began.wait(20)
        engine.stop(0)
        go.set()
    clock.move(60)
    with Engine(path, {"m": machine(M=made)}, functions, clock=clock) as engine:
        [ended] = engine.wait("e", machine="m", timeout=20)
    assert ended.output == [now + 1, now + 2, now + 3]
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM items").fetchone() == (0,)
    connection.close()


def test_a_map_that_is_tried_again_asks_its_expressions_anew(run: Run) -> None:
    seen: list[Any] = []

    def work(event: Any, _: Any) -> Any:
        seen.append(event)
        if len(seen) == 1:
            raise OSError("once")
        return event

    retry = [{"ErrorEquals": ["OSError"], "IntervalSeconds": 1, "MaxDelaySeconds": 2}]
    made = mapping(flow(I=task()), Items="{% [$uuid()] %}", Retry=retry)
    assert run(machine(M=made), {}, f=work).output == [seen[1]]
    assert seen[0] != seen[1]


# Refused


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (passing("{% (1 %}"), "States.A.Output: '(1' is no JSONata at character 2: Expected )"),
        (passing({"x": ["{% %}"]}), "States.A.Output.x[0]: '' is no JSONata: Unexpected end"),
        (passing("{% /(/ %}"), "States.A.Output: '/(/' is no JSONata"),
        (passing("{% phone %}"), "States.A.Output: phone refers to no data at the top level"),
        (passing("{% $.phone %}"), "States.A.Output: $ refers to no data"),
        (passing("{% $map([1], function($x) { b }) %}"), "States.A.Output: b refers to no data"),
        (passing("{% $states.input[$$.a] %}"), "States.A.Output: $$ refers to no data"),
        (passing("{% ** %}"), "States.A.Output: ** refers to no data"),
        (passing("{% $eval('1') %}"), "States.A.Output: $eval is not there in Step Functions; $parse"),
        (passing("{% $states.result %}"), "States.A.Output: there is no $states.result here"),
        (passing("{% $states.other %}"), "States.A.Output: there is no $states.other here"),
        (machine(A=task(Arguments="{% $states.result %}")), "States.A.Arguments: there is no $states.result here"),
        (machine(A=task(Output="{% $states.errorOutput %}")), "States.A.Output: there is no $states.errorOutput here"),
        (machine(A=task(TimeoutSeconds="{% $states.result %}")), "States.A.TimeoutSeconds: there is no $states.result"),
        (machine(A=task(Catch=[{"ErrorEquals": ["E"], "Next": "B", "Output": "{% $states.result %}"}]),
                 B={"Type": "Succeed"}), "States.A.Catch[0].Output: there is no $states.result here"),
        (passing(1, Assign=[1]), "States.A.Assign: must be a JSON object"),
        (passing(1, Assign={"states": 1}), "States.A.Assign.states: is no name of a variable"),
        (machine(C={"Type": "Choice", "Choices": [{"Next": "E"}]}, E={"Type": "Succeed"}),
         "States.C.Choices[0].Condition: is missing"),
        (machine(C={"Type": "Choice", "Choices": [{"Condition": "yes", "Next": "E"}]}, E={"Type": "Succeed"}),
         "States.C.Choices[0].Condition: must be true, false or {% … %}, not 'yes'"),
        (machine(W={"Type": "Wait"}), "States.W.Type: a Wait needs one of Seconds, Timestamp; this one has none"),
        (machine(W={"Type": "Wait", "Seconds": "1"}), "States.W.Seconds: must be a whole number"),
        (machine(M=mapping(flow(I=ECHO), Items="all")), "States.M.Items: must be a list, an object or {% … %}"),
        (machine(A={"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"Payload": 1}}),
         "States.A.Arguments.FunctionName: is missing"),
        (machine(A={"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                    "Arguments": {"FunctionName": "f"}}),
         "States.A.Arguments: must hand on $states.context.Task.Token"),
        (machine(M=mapping(child(I=ECHO), ItemReader={"Resource": "arn:aws:states:::s3:getObject",
                                                     "Arguments": {"Bucket": "b"}})),
         "States.M.ItemReader.Arguments.Key: is missing"),
        (machine(A=task(Credentials={})), "States.A.Credentials: no field that this engine knows"),
        # one language in the other
        (machine(A={"Type": "Pass", "QueryLanguage": "JSONPath"}),
         "States.A.QueryLanguage: cannot be JSONPath in a state of a machine whose QueryLanguage is JSONata"),
        (machine(P={"Type": "Parallel", "Branches": [flow(A={"Type": "Pass", "QueryLanguage": "JSONPath"})]}),
         "States.P.Branches[0].States.A.QueryLanguage: cannot be JSONPath"),
        (machine(P={"Type": "Parallel", "Branches": [{**flow(A=ECHO), "QueryLanguage": "JSONata"}]}),
         "States.P.Branches[0].QueryLanguage: no field that this engine knows in a branch"),
        *((machine(A={"Type": kind, key: value}), f"States.A.{key}: is a field of JSONPath")
          for kind, key, value in [
              ("Pass", "InputPath", "$"), ("Pass", "OutputPath", "$"), ("Pass", "Parameters", {}),
              ("Pass", "ResultPath", "$"), ("Pass", "Result", 1), ("Task", "ResultSelector", {}),
              ("Task", "TimeoutSecondsPath", "$"), ("Task", "HeartbeatSecondsPath", "$"), ("Map", "ItemsPath", "$"),
              ("Map", "MaxConcurrencyPath", "$"), ("Map", "ToleratedFailureCountPath", "$"),
              ("Wait", "SecondsPath", "$"), ("Wait", "TimestampPath", "$"), ("Fail", "ErrorPath", "$"),
              ("Fail", "CausePath", "$")]),
        (machine(A=task(Catch=[{"ErrorEquals": ["E"], "Next": "B", "ResultPath": "$"}]), B={"Type": "Succeed"}),
         "States.A.Catch[0].ResultPath: is a field of JSONPath"),
        (machine(C={"Type": "Choice", "Choices": [{"Condition": True, "Variable": "$", "Next": "E"}]},
                 E={"Type": "Succeed"}), "States.C.Choices[0].Variable: is a field of JSONPath"),
        (machine(M=mapping(child(I=ECHO), ItemBatcher={"MaxItemsPerBatchPath": "$"})),
         "States.M.ItemBatcher.MaxItemsPerBatchPath: is a field of JSONPath"),
        *((machine(language="JSONPath", A={"Type": kind, key: value}), f"States.A.{key}: is a field of JSONata")
          for kind, key, value in [
              ("Pass", "Output", 1), ("Task", "Arguments", {}), ("Task", "Output", 1), ("Map", "Items", [1]),
              ("Succeed", "Output", 1)]),
        (machine(language="JSONPath", C={"Type": "Choice", "Choices": [
            {"Condition": True, "Variable": "$", "IsNull": True, "Next": "E"}]}, E={"Type": "Succeed"}),
         "States.C.Choices[0].Condition: "),
    ],
)  # fmt: skip
def test_a_faulty_jsonata_definition_is_refused_with_the_place(definition: dict[str, Any], problem: str) -> None:
    found = problems_of(definition)
    assert any(line.startswith(problem) for line in found), found


def test_names_below_the_top_level_refer_to_what_was_found(run: Run) -> None:
    wanted = "{% $states.input.a[$.n > 1 and m = 2]^(>n).{'k': n}.k %}"
    assert run(passing(wanted), {"a": [{"n": 1, "m": 2}, {"n": 2, "m": 2}, {"n": 3, "m": 2}]}).output == [3, 2]


def test_each_expression_is_read_once_when_the_machine_is_loaded() -> None:
    loaded = load(machine(A=task(Arguments={"x": "{% 1 %}"}, TimeoutSeconds="{% 2 %}")))
    state = loaded.states["A"]
    assert isinstance(state, Task)
    assert state.timeout.compiled is not None  # type: ignore[union-attr]


def test_a_processor_of_a_distributed_map_is_read_again_alone_in_the_language_of_its_machine() -> None:
    state = load(machine(M=mapping(child(I=ECHO), Items=[1]))).states["M"]
    assert isinstance(state, Map)
    assert state.child is not None
    assert '"QueryLanguage":"JSONata"' in state.child.text


def run_alone(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    return done.stdout


BLOCKER = """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("jsonata", "regex"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocker())
"""


def test_without_the_extra_a_jsonata_definition_is_refused_by_name_and_place() -> None:
    out = run_alone(
        BLOCKER
        + """
    from scones.errors import DefinitionError
    from scones.workflow.engine import load

    state = {"Type": "Pass", "Output": "{% 1 %}", "End": True}
    for definition in (
        {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}},
        {"StartAt": "A", "States": {"A": {**state, "QueryLanguage": "JSONata"}}},
    ):
        try:
            load(definition)
        except DefinitionError as error:
            print(str(error).splitlines()[1].strip())
    """
    )
    reason = "JSONata needs jsonata-python, which is not installed: pip install 'scones[jsonata]'"
    assert out.splitlines() == [f"QueryLanguage: {reason}", f"States.A.QueryLanguage: {reason}"]


def test_the_library_is_loaded_only_for_jsonata_and_leaves_the_process_as_it_was() -> None:
    out = run_alone("""
    import sys
    from scones.workflow.engine import load

    limit = sys.getrecursionlimit()
    load({"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"x.$": "$"}, "End": True}}})
    print({"jsonata", "regex"} & sys.modules.keys())
    load({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Succeed", "Output": "{% 1 %}"}}})
    print(sys.getrecursionlimit() == limit, "jsonata" in sys.modules)
    """)
    assert out.splitlines() == ["set()", "True True"]


def test_nothing_is_printed_by_an_expression(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(passing("{% $states.input() %}"), {"secret": 1}).error == "States.QueryEvaluationError"
    assert capfd.readouterr().out == ""


def test_a_jsonata_machine_can_be_drawn() -> None:
    svg = draw(machine(
        C={"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n > 3 %}", "Next": "M"}], "Default": "M"},
        M=mapping(flow(I=ECHO), Items="{% $states.input.list %}"),
    ))  # fmt: skip
    assert "$states.input.n &gt; 3" in svg
    assert "$states.input.list" in svg
