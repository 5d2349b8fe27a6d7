"""Distributed Map: an execution for each item or batch, read from the input or from the object store."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from scones.workflow.engine import Engine

from .conftest import FUNCTION, MemoryObjects, Run

GET, LIST, PUT = (f"arn:aws:states:::s3:{name}" for name in ("getObject", "listObjectsV2", "putObject"))
WORK = {"Type": "Task", "Resource": FUNCTION + "work", "End": True}


def distributed(work: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "W",
        "States": {"W": work or {"Type": "Pass", "End": True}},
    }
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}}}


def reading(kind: str, **config: Any) -> dict[str, Any]:
    config = {"InputType": kind, **config} if kind != "LIST" else config
    place = {"Bucket": "b", "Prefix.$": "$.at"} if kind == "LIST" else {"Bucket": "b", "Key.$": "$.at"}
    resource = LIST if kind == "LIST" else GET
    return distributed(ItemReader={"Resource": resource, "ReaderConfig": config, "Parameters": place})


def test_each_item_is_an_execution_of_its_own_with_its_own_history(tmp_path: Path) -> None:
    with Engine(
        tmp_path / "j.db", {"m": distributed(WORK, Label="Work")}, {"work": lambda event, _: event + 1}
    ) as engine:
        engine.start("m", [1, 2, 3], name="e")
        assert engine.wait("e", timeout=20)[0].output == [2, 3, 4]
        assert [one.name for one in engine.executions()] == ["e"]
        children = engine.executions(machine="m/Work")
        assert sorted(engine.describe(child.arn).output for child in children) == [2, 3, 4]
        kinds = [event.type for event in engine.history(children[0].arn)]
        assert kinds[0] == "ExecutionStarted"
        assert kinds[-1] == "ExecutionSucceeded"
        kinds = [event.type for event in engine.history("e")]
    assert kinds[2:4] == ["MapStateStarted", "MapRunStarted"]
    assert "MapRunSucceeded" in kinds


@pytest.mark.parametrize(
    ("kind", "config", "body", "items"),
    [
        ("JSON", {}, '[1, {"a": 2}]', [1, {"a": 2}]),
        ("JSON", {}, "[]", []),
        ("JSONL", {}, '{"a": 1}\n\n{"a": "\u2028"}\r\n', [{"a": 1}, {"a": "\u2028"}]),
        ("JSONL", {"MaxItems": 2}, "1\n2\n3\n", [1, 2]),
        ("JSONL", {"MaxItemsPath": "$.most"}, "1\n2\n3\n", [1]),
        ("CSV", {"CSVHeaderLocation": "FIRST_ROW"}, '\ufeffa,b\n1,"x,\ny"\n2\n',
         [{"a": "1", "b": "x,\ny"}, {"a": "2", "b": ""}]),
        ("CSV", {"CSVHeaderLocation": "GIVEN", "CSVHeaders": ["p", "q"], "CSVDelimiter": "TAB"}, "1\t2\t3\n",
         [{"p": "1", "q": "2"}]),
    ],
)  # fmt: skip
def test_items_are_read_from_an_object(
    run: Run, objects: MemoryObjects, kind: str, config: dict[str, Any], body: str, items: list[Any]
) -> None:
    objects.put("b", "things", body.encode())
    assert run(reading(kind, **config), {"at": "things", "most": 1}).output == items


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
@pytest.mark.parametrize("lists", [False, True])
def test_an_item_selector_knows_where_the_items_come_from(
    run: Run, objects: MemoryObjects, language: str, lists: bool
) -> None:
    objects.contents["b", "in/items.json"] = b"[1]"
    queries, place = language == "JSONata", {"Bucket": "b"} | ({"Prefix": "in/"} if lists else {"Key": "in/items.json"})
    reader = {"Resource": f"arn:aws:states:::s3:{'listObjectsV2' if lists else 'getObject'}",
              "Arguments" if queries else "Parameters": place}  # fmt: skip
    selector = {"from": "{% $states.context.Map.Item.Source %}"} if queries else {"from.$": "$$.Map.Item.Source"}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I",
                 "States": {"I": {"Type": "Pass", "End": True}}}  # fmt: skip
    state = {"Type": "Map", "ItemReader": reader, "ItemSelector": selector, "ItemProcessor": processor, "End": True}

    ended = run({"QueryLanguage": language, "StartAt": "M", "States": {"M": state}}, {})

    assert ended.output == [{"from": "S3://b" if lists else "S3://b/in/items.json"}]


def test_items_are_the_objects_below_a_prefix(run: Run, objects: MemoryObjects) -> None:
    for key in ("a/1.png", "a/2.png", "ab.png"):
        objects.put("b", key, b"xyz")
    output = run(reading("LIST"), {"at": "a/"}).output
    assert [(item["Key"], item["Size"]) for item in output] == [("a/1.png", 3), ("a/2.png", 3)]
    assert set(output[0]) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}


@pytest.mark.parametrize(
    ("kind", "body"), [("JSON", '{"a": 1}'), ("JSON", "[1"), ("JSONL", "1\n{\n"), ("CSV", 'a,b\n"x'), ("JSON", None)]
)
def test_a_file_that_cannot_be_read_is_an_error_of_the_reader(
    run: Run, objects: MemoryObjects, kind: str, body: str | None
) -> None:
    if body is not None:
        objects.put("b", "things", body.encode())
    ended = run(reading(kind), {"at": "things"})
    assert ended.error == "States.ItemReaderFailed"
    assert ended.cause is not None
    assert ended.cause.startswith("b/things: ")


def test_a_batcher_gives_each_child_several_items(run: Run) -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"factor.$": "$.factor"}}
    selector = {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index"}
    definition = distributed(ItemsPath="$.items", ItemBatcher=batcher, ItemSelector=selector)
    assert run(definition, {"factor": 3, "items": ["a", "b", "c"]}).output == [
        {"BatchInput": {"factor": 3}, "Items": [{"v": "a", "i": 0}, {"v": "b", "i": 1}]},
        {"BatchInput": {"factor": 3}, "Items": [{"v": "c", "i": 2}]},
    ]


def test_the_members_of_an_object_are_items_too(run: Run) -> None:
    selector = {"k.$": "$$.Map.Item.Key", "v.$": "$$.Map.Item.Value"}
    output = run(distributed(ItemSelector=selector), {"a": 1, "b": 2}).output
    assert output == [{"k": "a", "v": 1}, {"k": "b", "v": 2}]


def test_a_batch_has_no_more_bytes_than_it_may(run: Run) -> None:
    definition = distributed(ItemBatcher={"MaxInputBytesPerBatch": 60})
    batches = run(definition, ["x" * 10] * 8).output
    assert sum(len(batch["Items"]) for batch in batches) == 8
    assert all(len(json.dumps(batch, separators=(",", ":"))) <= 60 for batch in batches)
    assert len(batches) == 3
    assert run(definition, ["x" * 60], name="large").error == "States.ItemReaderFailed"


def failing(event: int, context: Any) -> int:
    if event < 0:
        raise ValueError(event)
    return event


@pytest.mark.parametrize(
    ("fields", "given", "error"),
    [
        ({}, [1, -1, 2], "States.ExceedToleratedFailureThreshold"),
        ({"ToleratedFailureCount": 1}, [1, -1, 2], None),
        ({"ToleratedFailureCount": 1}, [-1, -1, 2], "States.ExceedToleratedFailureThreshold"),
        ({"ToleratedFailurePercentage": 50}, [1, -1, -2, 2], None),
        ({"ToleratedFailurePercentage": 49}, [1, -1, -2, 2], "States.ExceedToleratedFailureThreshold"),
        ({"ToleratedFailureCount": 9, "ToleratedFailurePercentage": 10}, [-1, 1],
         "States.ExceedToleratedFailureThreshold"),
    ],
)  # fmt: skip
def test_so_many_failures_are_tolerated_and_no_more(
    run: Run, fields: dict[str, Any], given: Any, error: str | None
) -> None:
    ended = run(distributed(WORK, **fields), given, work=failing)
    assert ended.error == error
    if error is None:
        failed = [entry for entry in ended.output if isinstance(entry, dict)]
        assert [entry["Status"] for entry in failed] == ["FAILED"] * sum(item < 0 for item in given)
        assert all(entry["Error"] == "ValueError" for entry in failed)


def test_tolerance_can_come_from_the_data(run: Run) -> None:
    fields = {"ItemsPath": "$.l", "ToleratedFailureCountPath": "$.most", "MaxConcurrencyPath": "$.c"}
    assert run(distributed(WORK, **fields), {"l": [1, -1], "most": 1, "c": 1}, work=failing).status == "SUCCEEDED"


@pytest.mark.parametrize("lines", [False, True])
def test_results_are_written_with_a_manifest(run: Run, objects: MemoryObjects, lines: bool) -> None:
    writer: dict[str, Any] = {"Resource": PUT, "Parameters": {"Bucket": "b", "Prefix.$": "$.to"}}
    if lines:
        writer["WriterConfig"] = {"OutputType": "JSONL", "Transformation": "COMPACT"}
    definition = distributed(WORK, ItemsPath="$.l", ResultWriter=writer, ToleratedFailureCount=1)
    output = run(definition, {"l": [1, -1, 2], "to": "out"}, work=failing).output
    details = output["ResultWriterDetails"]
    manifest = json.loads(objects.get("b", details["Key"]))
    assert manifest["MapRunArn"] == output["MapRunArn"]
    assert manifest["ResultFiles"]["PENDING"] == []
    [good], [bad] = manifest["ResultFiles"]["SUCCEEDED"], manifest["ResultFiles"]["FAILED"]
    text = objects.get("b", good["Key"]).decode()
    assert good["Size"] == len(text)
    if lines:
        assert text == "1\n2\n"
    else:
        entries = json.loads(text)
        assert [(entry["Input"], entry["Output"], entry["Status"]) for entry in entries] == [
            ("1", "1", "SUCCEEDED"),
            ("2", "2", "SUCCEEDED"),
        ]
    assert b'"Error":"ValueError"' in objects.get("b", bad["Key"])


def test_a_writer_can_flatten_into_the_output(run: Run) -> None:
    writer = {"WriterConfig": {"Transformation": "FLATTEN"}}
    assert run(distributed(ResultWriter=writer), [[1, 2], [], [3]]).output == [1, 2, 3]


def test_a_place_that_cannot_be_written_is_an_error_of_the_writer(run: Run, objects: MemoryObjects) -> None:
    def put(bucket: str, key: str, body: bytes) -> None:
        raise OSError("full")

    objects.put = put  # type: ignore[method-assign]
    ended = run(distributed(ResultWriter={"Resource": PUT, "Parameters": {"Bucket": "b"}}), [1])
    assert ended.error == "States.ResultWriterFailed"


def test_results_too_large_for_the_output_say_so(run: Run) -> None:
    large = {"Type": "Pass", "Parameters": {"x.$": "States.Format('{}{}{}{}', $, $, $, $)"}, "End": True}
    assert run(distributed(large), ["x" * 40_000] * 2).error == "States.DataLimitExceeded"


def test_an_abort_of_the_parent_stops_the_children(tmp_path: Path) -> None:
    waiting = {"Type": "Wait", "Seconds": 9999, "End": True}
    with Engine(tmp_path / "j.db", {"m": distributed(waiting)}) as engine:
        engine.start("m", [1, 2], name="e")
        assert engine.running == 3
        engine.abort("e")
        assert {child.status for child in engine.executions(machine="m/M")} == {"ABORTED"}
        engine.join(timeout=20)


def test_children_that_have_ended_do_not_run_again_after_a_restart(tmp_path: Path) -> None:
    seen: list[int] = []
    release, running = threading.Event(), threading.Event()

    def work(event: int, context: Any) -> int:
        seen.append(event)
        if event == 1500 and not release.is_set():
            running.set()
            release.wait(20)
        return event

    objects = MemoryObjects({("b", "k"): "\n".join(map(str, range(1600))).encode()})
    reader = {"Resource": GET, "ReaderConfig": {"InputType": "JSONL"}, "Parameters": {"Bucket": "b", "Key": "k"}}
    definition = distributed(WORK, ItemReader=reader, MaxConcurrency=1, ResultSelector={"n.$": "States.ArrayLength($)"})
    engine = Engine(tmp_path / "j.db", {"m": definition}, {"work": work}, objects)
    engine.start("m", {}, name="e")
    assert running.wait(60)
    engine.stop(grace=0)
    release.set()
    objects.contents.clear()  # what was read is in the journal
    with Engine(tmp_path / "j.db", {"m": definition}, {"work": work}, objects) as engine:
        assert engine.wait("e", timeout=60)[0].output == {"n": 1600}
    assert [number for number in range(1600) if seen.count(number) != 1] == [1500]


def test_a_retried_map_counts_only_its_own_children(run: Run) -> None:
    calls: list[int] = []

    def work(event: int, context: Any) -> int:
        calls.append(event)
        if len(calls) == 1:
            raise ValueError
        return event

    retry = [
        {"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "IntervalSeconds": 1, "JitterStrategy": "FULL"}
    ]
    definition = distributed(WORK, MaxConcurrency=1, Retry=retry)
    assert run(definition, [1, 2], work=work).output == [1, 2]
    assert calls == [1, 1, 2]
