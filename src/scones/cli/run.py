"""``scones run``, ``scones executions``, ``scones reviews`` and ``scones orders``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json, progress_bar

if TYPE_CHECKING:
    from scones.workflow.engine import Event, JournalReader

JournalOption = Annotated[
    Path | None, typer.Option("--journal", metavar="FILE", help="The engine's journal  [.scones/journal.sqlite]")
]


def run(
    watch: Annotated[bool, typer.Option("--watch", help="Go on with new arrivals until Ctrl+C")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Work arrivals anew whose execution failed")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="States that run at the same time")] = 8,
    endpoint_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the endpoint answers  [http://127.0.0.1:8080]")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="NAME", help="The endpoint's name  [scones]")] = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work the arrivals: classify each picture and send its driver to a bay and an order.

    Runs classify.asl.json, the very state machine that Step Functions runs, on the embedded engine. Every
    change is in the journal before it takes effect: a run that was killed goes on where it was. An
    unsure picture is set aside for a person (`scones reviews`); a failure is loud, and nothing is lost:
    correct its cause, then `--retry-failed`.
    """
    import time

    from scones.errors import WorkflowError
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.workflow.application import LOCAL_ENDPOINT, check_endpoint, open_engine
    from scones.workflow.arrivals import find_arrivals, outcomes, start_arrival

    settings = Settings.load(
        task=task, store=store, bucket=bucket, journal=journal, endpoint=endpoint, endpoint_url=endpoint_url
    )
    if settings.endpoint_url is None:
        settings = settings.model_copy(update={"endpoint_url": LOCAL_ENDPOINT})
    place = open_bucket(settings.store, settings.bucket)
    check_endpoint(settings)
    names: dict[str, str] = {}  # of executions, by the arrival's key
    err = console()
    with progress_bar(as_json) as bar:
        line = bar.add_task("executions", total=0)

        def count(event: Event) -> None:
            if event.machine == "classify" and event.type in _ENDS:
                bar.advance(line)

        with open_engine(settings, concurrency=concurrency, on_event=count) as engine:
            try:
                while True:
                    keys, others = find_arrivals(place)
                    for key in keys:
                        if key not in names:
                            names[key] = start_arrival(engine, settings.bucket, key, retry_failed=retry_failed)
                            bar.update(line, total=len(names))
                    engine.join()
                    if not watch:
                        break
                    time.sleep(1.0)
            except KeyboardInterrupt:
                err.print("stopped; what was interrupted goes on with the next `scones run`")
            ended = [engine.describe(name, "classify") for name in names.values()]
    counts = outcomes(ended)
    if as_json:
        print_json({"executions": len(ended), "outcomes": dict(counts), "skipped": others})
    else:
        if others:
            err.print(f"skipped, no pictures: {', '.join(others[:5])}{' …' if len(others) > 5 else ''}")
        err.print(f"{len(ended)} arrivals: " + (", ".join(f"{n} {word}" for word, n in counts.most_common()) or "none"))
        if counts["review"]:
            err.print("unsure pictures wait for a person: `scones reviews`")
    if counts["failed"]:
        first = next(execution for execution in ended if execution.status not in ("SUCCEEDED", "RUNNING"))
        raise WorkflowError(
            f"{counts['failed']} of {len(ended)} executions failed; the first, {first.name}, with {first.error}: "
            f"{_message(first.cause)}; see `scones executions --status FAILED`, then `scones run --retry-failed`"
        )


_ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}


def executions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one, state by state")] = None,
    machine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this machine: classify or review")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first")] = 20,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """List executions, newest first; with a NAME, show one state by state.

    Reads the journal, also while `scones run` is at work.
    """
    from scones.errors import SettingsError
    from scones.settings import Settings
    from scones.workflow.engine import Journal

    known = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    if status is not None and status.upper() not in known:
        raise SettingsError(f"unknown status {status!r}: use one of {', '.join(known)}")
    with Journal.open_readonly(Settings.load(journal=journal).journal) as reader:
        if name is not None:
            _show_one(reader, name, machine, as_json)
            return
        found = reader.executions(machine, status.upper() if status else None, limit)  # type: ignore[arg-type]
        if as_json:
            print_json([_plain(execution) for execution in found])
            return
        from rich.table import Table

        table = Table("started (UTC)", "machine", "name", "status", "seconds", "error")
        for execution in found:
            seconds = f"{(execution.stopped - execution.started).total_seconds():.3f}" if execution.stopped else "…"
            colour = {"SUCCEEDED": "green", "RUNNING": "yellow"}.get(execution.status, "red")
            table.add_row(
                f"{execution.started:%Y-%m-%d %H:%M:%S}",
                execution.machine,
                execution.name,
                f"[{colour}]{execution.status}[/]",
                seconds,
                execution.error or "",
            )
        console().print(table)


def _show_one(reader: JournalReader, name: str, machine: str | None, as_json: bool) -> None:
    found = reader.describe(name, machine)
    events = reader.history(name, machine or found.machine)
    if as_json:
        print_json({**_plain(found), "history": [_plain(event) for event in events]})
        return
    from rich.markup import escape
    from rich.table import Table

    err = console()
    err.print(f"[bold]{found.name}[/] of {found.machine}: {found.status}", soft_wrap=True)
    table = Table("after (s)", "state", "event", "what")
    for event in events:
        after = (event.time - found.started).total_seconds()
        table.add_row(f"{after:.3f}", event.state or "", event.type, escape(_brief(event.details)))
    err.print(table)
    if found.error:
        err.print(f"[red]{found.error}[/]: {escape(_message(found.cause))}", soft_wrap=True)


def reviews(store: StoreOption = None, bucket: BucketOption = None, as_json: JsonOption = False) -> None:
    """List the pictures that the model was not sure of and that wait for a person."""
    from rich.table import Table

    from scones.settings import Settings
    from scones.store import open_bucket

    settings = Settings.load(store=store, bucket=bucket)
    place = open_bucket(settings.store, settings.bucket)
    found = [place.get_json(entry.key) for entry in place.list("reviews")]
    if as_json:
        print_json(found)
        return
    table = Table("arrival", "depot", "driver", "the model's guess", "confidence", "threshold", "picture")
    for record in sorted(found, key=lambda record: record["confidence"]):
        table.add_row(
            record["arrival_id"],
            record["depot"],
            record["driver_id"],
            record["label"],
            f"{record['confidence']:.4f}",
            f"{record['threshold']:.4f}",
            record["s3_key"],
        )
    console().print(table)


def orders(
    add: Annotated[
        Path | None, typer.Option(metavar="FILE", help='JSON lines: {"order_id": "o-1", "distance_km": 2.5}')
    ] = None,
    sample: Annotated[int | None, typer.Option(metavar="N", min=1, help="Make N orders up")] = None,
    seed: Annotated[int, typer.Option(help="Of the orders made up")] = 0,
    depot: Annotated[str | None, typer.Option(metavar="NAME", help="The depot  [main]")] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a depot's open orders; add some with `--add FILE` or `--sample N`."""
    from rich.table import Table

    from scones.dispatch import add_orders, open_orders, read_order_lines, sample_orders
    from scones.settings import Settings
    from scones.store import open_bucket

    settings = Settings.load(store=store, bucket=bucket, depot=depot)
    place = open_bucket(settings.store, settings.bucket)
    if add is not None:
        add_orders(place, settings.depot, read_order_lines(add))
    if sample is not None:
        add_orders(place, settings.depot, sample_orders(sample, seed))
    found = sorted(open_orders(place, settings.depot), key=lambda order: order.distance_km)
    if as_json:
        print_json([order.model_dump() for order in found])
        return
    table = Table("order", "distance (km)", title=f"{len(found)} open orders of depot {settings.depot}")
    for order in found:
        table.add_row(order.order_id, f"{order.distance_km:.1f}")
    console().print(table)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


def _message(cause: str | None) -> str:
    """The message in a function's cause, which is JSON text as Lambda writes it."""
    import json

    try:
        return str(json.loads(cause or "")["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause or ""


def _brief(details: Any) -> str:
    """An event's details in a line: long texts (pictures) are cut."""
    import json

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(item) for key, item in value.items()}
        if isinstance(value, str) and len(value) > 60:
            return f"{value[:20]}… ({len(value):,} characters)"
        return value

    text = json.dumps({key: cut(value) for key, value in details.items()}, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
