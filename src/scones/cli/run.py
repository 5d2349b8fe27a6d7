"""``scones run``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

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
    from socket import socket

    from scones.workflow.engine import Event
    from scones.workflow.intake import Admission, Desk, Intake


def run(
    watch: Annotated[bool, typer.Option("--watch", help="Go on with new arrivals until Ctrl+C or SIGTERM")] = False,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Also take arrivals over HTTP there, as 127.0.0.1:8090; goes on as --watch does"
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Work arrivals anew whose execution failed")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="States that run at the same time")] = 8,
    queue: Annotated[int, typer.Option(min=1, help="Arrivals at work at the same time; the others wait")] = 1000,
    every: Annotated[float, typer.Option(min=0.05, max=3600, help="Seconds between two looks for arrivals")] = 1.0,
    endpoint_url: EndpointUrlOption = None,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work the arrivals: classify each picture and send its driver to a bay and an order.

    Runs classify.asl.json, the very state machine that Step Functions runs, on the embedded engine. Every
    change is in the journal before it takes effect: a run that was killed goes on where it was. An
    unsure picture is set aside for a person (`scones reviews`). A failure is loud, and nothing is lost: what is
    wrong with the picture itself is told by `scones dead-letters`; after any other failure, correct its cause,
    then `--retry-failed`.

    With `--watch` it goes on with what arrives; with `--listen` also over HTTP:

        curl --data-binary @picture.png -H 'Content-Type: image/png' 'http://127.0.0.1:8090/arrivals?driver_id=d7'
    """
    import time
    from contextlib import nullcontext
    from functools import partial

    from scones.contracts import failure_message
    from scones.errors import WorkflowError
    from scones.notifications import from_event, open_notifier
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.workflow.application import check_endpoint, on_this_machine, open_engine
    from scones.workflow.arrivals import MACHINE, ends_arrival
    from scones.workflow.intake import Admission, DeadLetters, Desk, Intake, Questions, Watcher, work
    from scones.workflow.intake import listen as listen_at

    settings = on_this_machine(
        Settings.load(
            task=task, store=store, bucket=bucket, journal=journal, endpoint=endpoint, endpoint_url=endpoint_url
        )
    )
    task_name = load_task(settings.task).name
    place = open_bucket(settings.store, settings.bucket)
    # an address that cannot be had is told before the endpoint is asked, and before interrupted work goes on
    with (
        nullcontext() if listen is None else listen_at(listen) as listener,
        progress_bar(as_json) as bar,
        open_notifier(settings) as notifier,
    ):
        check_endpoint(settings)
        letters = DeadLetters(place)
        admission = Admission(place, letters, queue)
        questions = Questions(admission.wake)
        line = bar.add_task("executions", total=0)

        def heed(event: Event) -> None:
            admission.heed(event)
            questions.heed(event)
            if event.machine == MACHINE and event.type == "ExecutionStarted":
                bar.update(line, total=(bar.tasks[0].total or 0) + 1)
            elif ends_arrival(event):
                bar.advance(line)
            if (news := from_event(event)) is not None:
                notifier.add(news)

        with open_engine(settings, concurrency=concurrency, on_event=heed) as engine:
            left = admission.attach(engine)
            bar.update(line, total=(bar.tasks[0].total or 0) + left)
            intake = Intake(
                engine,
                admission,
                Watcher(place, now=time.time, clock=time.monotonic),
                questions,
                watch=watch or listen is not None,
                retry_failed=retry_failed,
                every=every,
                check_endpoint=partial(check_endpoint, settings),
                say=lambda text: bar.console.print(text, soft_wrap=True, markup=False),
                clock=time.monotonic,
            )
            desk = Desk(engine, admission, task=task_name, depot=settings.depot)
            with _served(listener, desk, intake):
                stopped = work(intake)
        intake.finish()
    if stopped:
        console().print("stopped; what was interrupted goes on with the next `scones run`")
    if as_json:
        print_json(_figures(admission, intake))
    else:
        _tell(admission, intake, len(letters))
    failed, first = admission.outcomes["failed"], admission.first_failure
    if first is not None and not (watch or listen):
        raise WorkflowError(
            f"{failed} of {admission.outcomes.total()} executions failed; the first, {first.name}, with {first.error}: "
            f"{failure_message(first.cause)}; see `scones executions --status FAILED`; when the cause is gone, "
            "`scones run --retry-failed`"
        )


@contextmanager
def _served(listener: socket | None, desk: Desk, intake: Intake) -> Iterator[None]:
    """Take arrivals over HTTP meanwhile, where there is a listener."""
    import ipaddress

    from scones.http_server import background_server
    from scones.workflow.intake import build_intake_app

    if listener is None:
        yield
        return
    app = build_intake_app(desk, waiting=lambda: intake.waiting)
    with background_server(app, listener, stop_seconds=5, most_connections=512) as url:
        console().print(f"arrivals are taken at {url}/arrivals", soft_wrap=True)
        if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            console().print("[yellow]whoever reaches this address can send arrivals and ask for them: guard it[/]")
        yield


def _figures(admission: Admission, intake: Intake) -> dict[str, Any]:
    return {
        "executions": admission.outcomes.total(),
        "outcomes": dict(admission.outcomes),
        "worked_before": intake.worked_before,
        "skipped": intake.odd,
        "dead_letters": intake.dead,
        "running": admission.running,
        "waiting": intake.waiting,
    }


def _tell(admission: Admission, intake: Intake, dead: int) -> None:
    err = console()
    counts = admission.outcomes
    said = ", ".join(f"{number} {word}" for word, number in counts.most_common())
    err.print(f"arrivals worked: {counts.total()}" + (f" ({said})" if said else ""))
    if intake.worked_before:
        failed = f", {intake.failed_before} of them failed (--retry-failed)" if intake.failed_before else ""
        err.print(f"worked before: {intake.worked_before}{failed}")
    if admission.running or intake.waiting:
        err.print(f"left for the next run: {admission.running} at work, {intake.waiting} waiting")
    if dead:
        new = f", {intake.dead} of them new" if intake.dead else ""
        err.print(f"dead letters, which cannot be worked as they are: {dead}{new}: `scones dead-letters`")
    if counts["wait"]:
        err.print("some drivers wait, no open order was within their range; add orders: `scones orders --sample 50`")
    if counts["duplicate"]:
        err.print(
            "duplicates are in the hands of another run; if it is gone, `scones run --retry-failed` takes them over"
        )
    if counts["review"]:
        err.print("unsure pictures wait for a person: `scones reviews`")
