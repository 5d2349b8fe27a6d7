"""Reads a Map state: inline or distributed, where its items come from, and what becomes of its results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from scones.workflow.engine.data import Made, Template, compile_queries
from scones.workflow.engine.fields import Fields, Language
from scones.workflow.engine.jsonata import is_query
from scones.workflow.engine.machine import Batcher, ItemReader, Map, ResultWriter, StateMachine
from scones.workflow.engine.paths import Path

__all__ = ["MAP_FIELDS", "MAP_QUERIES", "read_map"]

_PROCESSORS = ("ItemProcessor", "Iterator")
_DISTRIBUTED = {
    "ItemBatcher",
    "ItemReader",
    "Label",
    "ResultWriter",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
}
MAP_FIELDS: Final = {*_PROCESSORS, "ItemSelector", "ItemsPath", "MaxConcurrency", "MaxConcurrencyPath"} | _DISTRIBUTED
MAP_QUERIES: Final = {key for key in MAP_FIELDS if not key.endswith("Path")} | {"Items"}
"""Those of a Map of JSONata."""

_KEYS: Final[Mapping[Language, str]] = {"JSONPath": "Parameters", "JSONata": "Arguments"}
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_BATCH_PATHS = {"MaxInputBytesPerBatchPath", "MaxItemsPerBatchPath"}
_BATCHER = {"BatchInput", "MaxInputBytesPerBatch", "MaxItemsPerBatch"} | _BATCH_PATHS
_READER_CONFIG = {"CSVDelimiter", "CSVHeaderLocation", "CSVHeaders", "InputType", "MaxItems", "MaxItemsPath"}
_GET, _LIST, _PUT = (f"arn:aws:states:::s3:{name}" for name in ("getObject", "listObjectsV2", "putObject"))
_MOST = 10**9
_LABEL = re.compile(r"""[^\s?*<>{}\[\]:;,\\|^~$#%&`"\x00-\x1f\x7f-\x9f]{1,40}""")


def read_map(
    fields: Fields, common: dict[str, Any], branch: Callable[[Fields], str], child: Callable[[Fields], StateMachine]
) -> Map:
    """Read a Map state.

    Args:
        fields: its JSON.
        common: what it has in common with other states.
        branch: reads an inline processor, and answers the state that it starts at.
        child: reads a distributed processor.
    """
    if "ItemSelector" in fields.data:
        if "Parameters" in fields.data:
            fields.note("Parameters", "cannot stand beside ItemSelector, which took its place")
        common = {**common, "parameters": fields.template("ItemSelector")}
    processor = next((fields.inner(key) for key in _PROCESSORS if key in fields.data), None)
    if processor is None or all(key in fields.data for key in _PROCESSORS):
        fields.note("ItemProcessor", "must be there, as a JSON object, once")
        processor = Fields({}, fields.at("ItemProcessor"), [])
    config = processor.inner("ProcessorConfig") or processor.within({}, "ProcessorConfig")
    config.refuse_others({"ExecutionType", "Mode"}, "ProcessorConfig")
    items: dict[str, Any] = {
        "items": _read_items(fields),
        "max_concurrency": fields.whole_or_path("MaxConcurrency", 0, _MOST),
    }
    if config.word("Mode", ("DISTRIBUTED", "INLINE"), "INLINE") == "INLINE":
        for key in sorted(_DISTRIBUTED & fields.data.keys()):
            fields.note(key, "only a distributed Map has it: set ProcessorConfig.Mode to DISTRIBUTED")
        return Map(**common, **items, start_at=branch(processor))
    if "ExecutionType" not in config.data:
        config.note("ExecutionType", "is missing: a distributed Map needs it, EXPRESS or STANDARD (all the same here)")
    config.word("ExecutionType", ("EXPRESS", "STANDARD"), "STANDARD")
    inner = child(processor)
    return Map(
        **common,
        **items,
        start_at=inner.start_at,
        child=inner,
        label=_read_label(fields) if "Label" in fields.data else "",
        reader=_read_reader(fields.inner("ItemReader")),
        batcher=_read_batcher(fields.inner("ItemBatcher")),
        writer=_read_writer(fields.inner("ResultWriter")),
        tolerated_count=fields.whole_or_path("ToleratedFailureCount", 0, _MOST),
        tolerated_percentage=fields.share_or_path("ToleratedFailurePercentage", 0.0),
    )


def _read_items(fields: Fields) -> Path | Made | None:
    if fields.language == "JSONPath":
        return fields.path("ItemsPath", reference=True, anywhere=True)
    items = fields.data.get("Items", "{% $states.input %}")
    if not isinstance(items, list | dict) and not is_query(items):
        fields.note("Items", f"must be a list, an object or {{% … %}}, not {items!r}")
    return Made(compile_queries(items, fields.at("Items"), fields.problems))


def _in_language(keys: set[str], fields: Fields) -> set[str]:
    return keys if fields.language == "JSONPath" else {key for key in keys if not key.endswith("Path")}


def _arguments(fields: Fields, needed: set[str], optional: set[str]) -> Template:
    """What a reader or a writer takes, after a look at the names where these are stated."""
    key = _KEYS[fields.language]
    if not (fields.language == "JSONata" and is_query(fields.data.get(key))):
        given = fields.inner(key) or fields.within({}, key)
        names = {name.removesuffix(".$") for name in given.data}
        for name in sorted(needed - names):
            given.note(name, "is missing")
        for name in sorted(names - needed - optional):
            given.note(name, "not supported here")
    return fields.template(key) or {}


def _read_label(fields: Fields) -> str:
    label = fields.text("Label")
    if label and not _LABEL.fullmatch(label):
        fields.note("Label", f"must be 1 to 40 characters, such as letters, digits, - and _, not {label!r}")
    return label


def _read_reader(fields: Fields | None) -> ItemReader | None:
    if fields is None:
        return None
    fields.refuse_others({"Comment", _KEYS[fields.language], "ReaderConfig", "Resource"}, "ItemReader")
    config = fields.inner("ReaderConfig") or fields.within({}, "ReaderConfig")
    config.refuse_others(_in_language(_READER_CONFIG, fields), "ReaderConfig")
    listing = fields.data.get("Resource") == _LIST
    if not listing and fields.data.get("Resource") != _GET:
        fields.note("Resource", f"must be {_GET} or {_LIST}, not {fields.data.get('Resource')!r}")
    parameters = _arguments(fields, {"Bucket"} if listing else {"Bucket", "Key"}, {"Prefix"} if listing else set())
    if listing and "InputType" in config.data:
        config.note("InputType", "a list of objects has none")
    kind = "LIST" if listing else config.word("InputType", ("CSV", "JSON", "JSONL"), "JSON")
    headers = None
    if kind == "CSV" and config.word("CSVHeaderLocation", ("FIRST_ROW", "GIVEN"), "FIRST_ROW") == "GIVEN":
        headers = config.names("CSVHeaders", "column name")
    delimiter = config.word("CSVDelimiter", _DELIMITERS, "COMMA") if "CSVDelimiter" in config.data else "COMMA"
    return ItemReader(
        format=kind,
        parameters=parameters,
        headers=headers,
        delimiter=_DELIMITERS[delimiter],
        max_items=config.whole_or_path("MaxItems", 1, _MOST),
    )


def _read_batcher(fields: Fields | None) -> Batcher | None:
    if fields is None:
        return None
    fields.refuse_others(_in_language(_BATCHER, fields), "ItemBatcher")
    batcher = Batcher(
        most_items=fields.whole_or_path("MaxItemsPerBatch", 1, _MOST),
        most_bytes=fields.whole_or_path("MaxInputBytesPerBatch", 1, 262_144),
        batch_input=fields.template("BatchInput"),
    )
    if batcher.most_items is None and batcher.most_bytes is None:
        fields.note("MaxItemsPerBatch", "is missing: an ItemBatcher needs it, or MaxInputBytesPerBatch")
    return batcher


def _read_writer(fields: Fields | None) -> ResultWriter | None:
    if fields is None:
        return None
    key = _KEYS[fields.language]
    fields.refuse_others({key, "Resource", "WriterConfig"}, "ResultWriter")
    if not fields.data:
        fields.note("WriterConfig", f"is missing: a ResultWriter needs it, or Resource and {key}")
    exports = "Resource" in fields.data or key in fields.data
    if exports and fields.data.get("Resource") != _PUT:
        fields.note("Resource", f"must be {_PUT}, not {fields.data.get('Resource')!r}")
    config = fields.inner("WriterConfig") or fields.within({}, "WriterConfig")
    config.refuse_others({"OutputType", "Transformation"}, "WriterConfig")
    default = "NONE" if exports else "COMPACT"
    return ResultWriter(
        parameters=_arguments(fields, {"Bucket"}, {"Prefix"}) if exports else None,
        transformation=config.word("Transformation", ("COMPACT", "FLATTEN", "NONE"), default),
        lines=config.word("OutputType", ("JSON", "JSONL"), "JSON") == "JSONL",
    )
