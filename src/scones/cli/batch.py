"""``scones batch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import (
    BucketOption,
    EndpointOption,
    EndpointUrlOption,
    JournalOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from scones.store import Bucket
    from scones.workflow.batch import BatchResult
    from scones.workflow.engine import Event


def batch(
    prefix: Annotated[
        str | None, typer.Option(metavar="KEY", help="Every picture whose key begins so, as arrivals/vehicles/")
    ] = None,
    manifest: Annotated[
        str | None, typer.Option(metavar="KEY", help="Every line of a manifest.jsonl, as `scones stage` writes it")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="States that run at the same time")] = 8,
    endpoint_url: EndpointUrlOption = None,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Classify many pictures of the bucket through the workflow, each in an execution of its own.

    Runs batch.asl.json, the very state machine that Step Functions runs (a Distributed Map), on the embedded engine:
    each picture goes through the functions and the endpoint, which captures what it answers. A picture that fails is
    written down with its error and stops no other. Answers and failures are JSON lines under batches/. Nothing is
    claimed, and no driver is sent anywhere.

    The journal has every step, so the same command goes on where a killed run was. It belongs to one process: while
    `scones run` is at work, give the batch one of its own (`--journal`).

    `scones classify` answers the same question without endpoint, workflow or journal: the model is in its process, so
    it is faster, takes folders too, and writes no capture. Take this one to see how the service itself fares
    with many pictures, and for what will run on AWS.

    Example:  `scones batch --prefix arrivals/vehicles/`
    """
    import time

    from scones.contracts import failure_message
    from scones.errors import SettingsError, SourceEmpty, WorkflowError
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.workflow.application import check_endpoint, on_this_machine, open_engine
    from scones.workflow.batch import MACHINE, ends_picture, pictures_found, read_batch, start_batch

    if (prefix is None) == (manifest is None):
        raise SettingsError("say which pictures: either --prefix KEY or --manifest KEY")
    settings = on_this_machine(
        Settings.load(
            task=task, store=store, bucket=bucket, journal=journal, endpoint=endpoint, endpoint_url=endpoint_url
        )
    )
    place = open_bucket(settings.store, settings.bucket)
    which = {"prefix": prefix} if manifest is None else {"manifest": manifest}
    given = {"s3_bucket": place.name, "task": load_task(settings.task).name, **which}
    check_endpoint(settings)
    started = time.monotonic()
    with progress_bar(as_json) as bar:
        line = bar.add_task("pictures", total=None)

        def heed(event: Event) -> None:
            if (total := pictures_found(event)) is not None:
                bar.update(line, total=total)
            elif ends_picture(event):
                bar.advance(line)

        with open_engine(settings, concurrency=concurrency, on_event=heed) as engine:
            try:
                name, earlier = start_batch(engine, place, given)
                if earlier:
                    console().print(f"goes on with batch {name}, which an earlier run began")
                [ended] = engine.wait(name, machine=MACHINE)
            except KeyboardInterrupt:
                console().print("stopped; the same command goes on where it was")
                raise typer.Exit(130) from None
    if ended.status != "SUCCEEDED":
        raise WorkflowError(f"batch {name} failed with {ended.error}: {failure_message(ended.cause)}")
    result = read_batch(place, ended.output["s3_key"])
    seconds = time.monotonic() - started
    if as_json:
        print_json(
            {
                "execution": name,
                "pictures": result.pictures,
                "succeeded": result.labels.total(),
                "failed": result.errors.total(),
                "labels": dict(result.labels),
                "decided": result.decided,
                "errors": dict(result.errors),
                "results": [place.url(key) for key in result.succeeded],
                "failures": [place.url(key) for key in result.failed],
                "manifest": place.url(ended.output["s3_key"]),
                "seconds": round(seconds, 2),
            }
        )
    else:
        _tell(place, result, seconds)
    if not result.pictures:
        raise SourceEmpty(f"no picture in {place.url(manifest or prefix or '')}: name another prefix or manifest")
    if not result.labels:
        first = result.first_failures[0]
        raise WorkflowError(
            f"none of {result.pictures} pictures was classified; the first, {first.s3_key}, failed with {first.error}: "
            f"{failure_message(first.cause)}"
        )


def _tell(place: Bucket, result: BatchResult, seconds: float) -> None:
    from rich.markup import escape

    from scones.contracts import failure_message
    from scones.page.numbers import plural

    err = console()
    if answers := result.labels.total():
        labels = ", ".join(f"{count:,} {label}" for label, count in result.labels.most_common())
        err.print(f"{plural(answers, 'picture')} classified in {seconds:.1f} s: {labels}")
        err.print(f"{result.decided / answers:.1%} sure enough to decide alone")
    if failures := result.errors.total():
        errors = ", ".join(f"{count:,} {error}" for error, count in result.errors.most_common())
        err.print(f"[yellow]failed: {failures:,}[/] ({escape(errors)})", soft_wrap=True)
        for one in result.first_failures:
            err.print(f"  {escape(one.s3_key)}: {escape(failure_message(one.cause))}", soft_wrap=True)
        if failures > len(result.first_failures):
            err.print(f"  … all of them: {', '.join(map(place.url, result.failed))}", soft_wrap=True)
    for key in result.succeeded:
        typer.echo(place.url(key))
