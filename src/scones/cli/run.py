"""``scones run``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import (
    BucketOption,
    JournalOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    failure_message,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from scones.workflow.engine import Event, ExecutionDetail


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
    from scones.workflow.arrivals import MACHINE, ends_arrival, find_arrivals, outcomes, start_arrival

    settings = Settings.load(
        task=task, store=store, bucket=bucket, journal=journal, endpoint=endpoint, endpoint_url=endpoint_url
    )
    if settings.endpoint_url is None:
        settings = settings.model_copy(update={"endpoint_url": LOCAL_ENDPOINT})
    place = open_bucket(settings.store, settings.bucket)
    check_endpoint(settings)
    seen: dict[str, str] = {}  # the status in which each arrival was found, by its key
    fresh: list[str] = []  # executions to wait for
    others: list[str] = []
    with progress_bar(as_json) as bar:
        line = bar.add_task("executions", total=0)

        def count(event: Event) -> None:
            if ends_arrival(event):
                bar.advance(line)

        with open_engine(settings, concurrency=concurrency, on_event=count) as engine:
            try:
                while True:
                    keys, others = find_arrivals(place)
                    for key in keys:
                        if key not in seen:
                            name, seen[key] = start_arrival(engine, place, key, retry_failed=retry_failed)
                            if seen[key] == "RUNNING":
                                fresh.append(name)
                                bar.update(line, total=len(fresh))
                    if not watch:
                        break
                    engine.check()
                    time.sleep(1.0)
                engine.join()
            except KeyboardInterrupt:
                console().print("stopped; what was interrupted goes on with the next `scones run`")
                engine.check()
            ended = [engine.describe(name, MACHINE) for name in fresh]
    before = [status for status in seen.values() if status != "RUNNING"]
    if as_json:
        counts = dict(outcomes(ended))
        print_json({"executions": len(ended), "outcomes": counts, "worked_before": len(before), "skipped": others})
    else:
        _tell(ended, before, others)
    failed = [execution for execution in ended if execution.status not in ("SUCCEEDED", "RUNNING")]
    if failed:
        raise WorkflowError(
            f"{len(failed)} of {len(ended)} executions failed; the first, {failed[0].name}, with {failed[0].error}: "
            f"{failure_message(failed[0].cause)}; see `scones executions --status FAILED`; when the cause is gone, "
            "`scones run --retry-failed`"
        )


def _tell(ended: Sequence[ExecutionDetail], before: Sequence[str], others: Sequence[str]) -> None:
    from scones.workflow.arrivals import outcomes

    err = console()
    counts = outcomes(ended)
    said = ", ".join(f"{number} {word}" for word, number in counts.most_common())
    err.print(f"arrivals worked: {len(ended)}" + (f" ({said})" if said else ""))
    if before:
        failed = sum(status != "SUCCEEDED" for status in before)
        err.print(f"worked before: {len(before)}" + (f", {failed} of them failed (--retry-failed)" if failed else ""))
    if others:
        err.print(f"skipped, no pictures: {', '.join(others[:5])}{' …' if len(others) > 5 else ''}")
    if counts["wait"]:
        err.print("some drivers wait, no open order was within their range; add orders: `scones orders --sample 50`")
    if counts["duplicate"]:
        err.print(
            "duplicates are in the hands of another run; if it is gone, `scones run --retry-failed` takes them over"
        )
    if counts["review"]:
        err.print("unsure pictures wait for a person: `scones reviews`")
