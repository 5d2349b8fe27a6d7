"""``scones generate``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from scones.cli._common import (
    BucketOption,
    JournalOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
)

_WHEN = "When they come"
_WHAT = "What comes"


def generate(
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", min=1, help="How many arrivals  [1, unless --duration]", rich_help_panel=_WHEN),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, help="For how long; the first of both ends", rich_help_panel=_WHEN),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="PER_SECOND", min=0.001, help="A stream at this rate", rich_help_panel=_WHEN),
    ] = None,
    arrivals: Annotated[
        Literal["even", "poisson"],
        typer.Option(help="The stream's spacing: even, or by chance, as drivers come", rich_help_panel=_WHEN),
    ] = "even",
    burst: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="So many at once, besides a stream", rich_help_panel=_WHEN)
    ] = None,
    every: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0.001, help="From burst to burst", rich_help_panel=_WHEN)
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="LABEL=W,…", help="Weights, as bicycle=0.7,motorcycle=0.3  [as staged]", rich_help_panel=_WHAT
        ),
    ] = None,
    corrupt: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:N,…",
            help="Distort pictures as `scones evaluate` does, 1 is mild: blur:2,darker",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    corrupt_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Of the pictures  [1 with --corrupt, else 0]", rich_help_panel=_WHAT
        ),
    ] = None,
    garbage_share: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0, max=1, help="Files that are no pictures, or cut", rich_help_panel=_WHAT),
    ] = 0.0,
    duplicate_share: Annotated[
        float,
        typer.Option(metavar="SHARE", min=0, max=1, help="Earlier ones, written once more", rich_help_panel=_WHAT),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same arrivals", rich_help_panel=_WHAT)] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show live what becomes of them, until all have ended")
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="With --follow, wait so long for the last ones")
    ] = 60.0,
    task: TaskOption = None,
    depot: Annotated[str | None, typer.Option(metavar="NAME", help="Where the drivers arrive  [main]")] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send test pictures as arrivals: one, a burst, a stream, or a stream with bursts. `scones run` works them.

    One:  `scones generate`      A burst:  `scones generate -n 200`

    A stream:  `scones generate --rate 5 --duration 60`      with bursts:  add `--burst 50 --every 20`

    Each arrival is due at its time, whatever became of those before it, and the generator says how far it fell
    behind itself. The pictures come from the test split of the dataset staged last; `--corrupt-share` alone
    takes every distortion there is.

    With `scones run --watch` in another terminal, `--follow` shows rates, outcomes, right answers and latencies.
    """
    import secrets
    import threading
    import time
    from datetime import UTC, datetime

    from scones.cli._sending import Sending
    from scones.errors import WorkflowError
    from scones.page.numbers import plural
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.workflow.generator import Sender, pictures_to_send
    from scones.workflow.schedule import Schedule
    from scones.workflow.traffic import Traffic, parse_damage, parse_mix, plan

    schedule = Schedule(
        1 if count is duration is rate is burst is None else count, duration, rate, arrivals, burst, every
    )
    share = (0.0 if corrupt is None else 1.0) if corrupt_share is None else corrupt_share
    damage = parse_damage(corrupt)
    settings = Settings.load(task=task, depot=depot, store=store, bucket=bucket, journal=journal)
    name = load_task(settings.task).name
    place = open_bucket(settings.store, settings.bucket)
    staged = load_dataset(place, name)
    lines = pictures_to_send(staged)
    weights = {} if mix is None else parse_mix(mix, staged.labels, lines)
    traffic = Traffic(weights, damage, share, garbage_share, duplicate_share)
    run = f"{datetime.now(UTC):%Y%m%dt%H%M%S%f}-{secrets.token_hex(2)}"
    stop = threading.Event()
    sender = Sender(place, staged, name, settings.depot, run, seed, time.monotonic, stop.wait, time.time)
    sender.warm_up(traffic, lines[0])
    sending = Sending(sender, schedule, plan(lines, traffic, schedule.dues(seed), seed), stop)
    figures = sending.followed(settings.journal, timeout, quiet=as_json) if follow else sending.alone(quiet=as_json)
    if as_json:
        told = {"run": run, "task": name, "depot": settings.depot, "dataset": staged.version, "seed": seed}
        numbers = {"seconds": round(figures.seconds, 3), **figures.to_json(followed=follow)}
        print_json({**told, "arrivals": sending.arrivals, **numbers})
    elif sending.interrupted or not follow:
        begun = "stopped: " if sending.interrupted else ""
        where = place.url(f"arrivals/{name}")
        then = "`scones run` goes on with them" if follow else "now `scones run`"
        sent = f"{plural(figures.sent, 'arrival')} in {figures.seconds:.1f} s"
        console().print(f"{begun}sent {sent} to {where}; {then}", soft_wrap=True)
    if follow and figures.unended and not sending.interrupted:
        raise WorkflowError(
            f"{figures.unended} of {figures.sent - figures.again} arrivals have not ended {timeout:g} s after the last "
            "was sent: see that `scones run --watch` works, on the same store, bucket and journal, or give it more "
            "time with --timeout; `scones executions --status RUNNING` lists what runs"
        )
