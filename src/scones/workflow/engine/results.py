"""What a distributed Map makes of its child executions: an array, or files in the object store.

The shape of files and entries is that of the Step Functions Developer Guide, "ResultWriter".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from scones.workflow.engine.failure import DATA_LIMIT_EXCEEDED, RESULT_WRITER_FAILED, StateFailure
from scones.workflow.engine.items import Objects
from scones.workflow.engine.jsontext import Json, dump, dump_bytes
from scones.workflow.engine.machine import ResultWriter
from scones.workflow.engine.records import ExecutionDetail

__all__ = ["array", "described", "write_results"]

_KEPT: Final = ResultWriter(parameters=None, transformation="COMPACT", lines=False)


def described(execution: ExecutionDetail, arn_of_machine: str) -> dict[str, Json]:
    """An execution as DescribeExecution gives it, with input and output as JSON text."""
    entry: dict[str, Json] = {
        "ExecutionArn": execution.arn,
        "Input": dump(execution.input),
        "InputDetails": {"Included": True},
        "Name": execution.name,
        "RedriveCount": 0,
        "RedriveStatus": "NOT_REDRIVABLE",
        "StartDate": execution.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "StateMachineArn": arn_of_machine,
        "Status": execution.status,
    }
    if execution.stopped is not None:
        entry["StopDate"] = execution.stopped.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if execution.status == "SUCCEEDED":
        entry |= {"Output": dump(execution.output), "OutputDetails": {"Included": True}}
    else:
        entry |= {"Cause": execution.cause, "Error": execution.error}
    return entry


def array(
    writer: ResultWriter | None, executions: Iterable[ExecutionDetail], arn_of_machine: str, most: int | None = None
) -> list[Json]:
    """The results in the order of the items, as the writer transforms them (``COMPACT`` without one).

    Raises:
        StateFailure: ``States.DataLimitExceeded``, as soon as they have more than ``most`` bytes.
    """
    size = 0
    results: list[Json] = []
    transformation = (writer or _KEPT).transformation
    for execution in executions:
        if most is not None:
            size += len(dump_bytes(execution.output))
            if size > most:
                cause = f"The results are more than the {most:,} bytes that may pass between states: add a ResultWriter"
                raise StateFailure(DATA_LIMIT_EXCEEDED, cause)
        if transformation == "NONE" or execution.status != "SUCCEEDED":
            results.append(described(execution, arn_of_machine))
        elif transformation == "FLATTEN" and isinstance(execution.output, list):
            results.extend(execution.output)
        else:
            results.append(execution.output)
    return results


def write_results(
    writer: ResultWriter,
    objects: Objects,
    parameters: dict[str, Json],
    executions: Iterable[ExecutionDetail],
    *,
    map_run: str,
    arn_of_machine: str,
) -> Json:
    """Write what the child executions gave: a file for each status, and a manifest that names them.

    Args:
        writer: says how.
        objects: the object store.
        parameters: ``Bucket`` and perhaps ``Prefix``.
        executions: the child executions, in the order of their items.
        map_run: the ARN of the Map's run.
        arn_of_machine: that of the children's machine.

    Returns:
        The Map's result: where the manifest lies.

    Raises:
        StateFailure: ``States.ResultWriterFailed``.
    """
    bucket = str(parameters.get("Bucket"))
    folder = "/".join(
        part for part in (str(parameters.get("Prefix", "")).strip("/"), map_run.rsplit(":", 1)[-1]) if part
    )
    entries: dict[str, list[Json]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for execution in executions:
        status = "SUCCEEDED" if execution.status == "SUCCEEDED" else "FAILED"
        entries[status] += array(writer, [execution], arn_of_machine)
    files: dict[str, Json] = {}
    try:
        for status, found in entries.items():
            lines = [dump(entry) for entry in found]
            body = ("".join(f"{line}\n" for line in lines) if writer.lines else f"[{','.join(lines)}]").encode(
                "utf-8", "surrogatepass"
            )
            key = f"{folder}/{status}_0.{'jsonl' if writer.lines else 'json'}"
            files[status] = [{"Key": key, "Size": len(body)}] if found else []
            if found:
                objects.put(bucket, key, body)
        manifest = {"DestinationBucket": bucket, "MapRunArn": map_run, "ResultFiles": files}
        objects.put(bucket, f"{folder}/manifest.json", dump(manifest).encode("utf-8", "surrogatepass"))
    except Exception as error:  # whatever the store raises
        cause = f"{bucket}/{folder}: {type(error).__name__}: {error}"
        raise StateFailure(RESULT_WRITER_FAILED, cause) from error
    return {"MapRunArn": map_run, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}
