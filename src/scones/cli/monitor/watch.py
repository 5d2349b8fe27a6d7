"""``scones monitor watch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scones.cli._common import BucketOption, EndpointOption, StoreOption, TaskOption, progress_bar


def watch(
    every: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Look again and again, so far apart  [once]")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, metavar="SECONDS", help="End after this time  [never]")
    ] = None,
    looks: Annotated[int | None, typer.Option(min=1, help="End after so many looks, idle ones too  [never]")] = None,
    act: Annotated[
        bool | None,
        typer.Option("--act/--dry-run", help="Do what helps, or only say what would be done  [monitor_acts]"),
    ] = None,
    pictures: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the pictures that are looked at, chosen by event id")
    ] = 1,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Where the capture lies in the bucket  [capture/ and the endpoint's name]"),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures there for Prometheus, after each look")
    ] = None,
    embedded: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE",
            help="Print the figures of each look as a line of CloudWatch's embedded metric format, in this namespace",
        ),
    ] = None,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line, a look each")] = False,
) -> None:
    """Look at what the endpoint captured since the last look: did it drift, and how good are the answers?

    Each picture is shown once to a detector, whose false alarms are bounded: at most 5 % of healthy streams raise one
    in their first 10,000 pictures. All it knows lies in the store: end it at any time, start it again, or run two.
    One that was down catches up. That nothing comes any more is an alarm, too.

    Where harm is found (people's answers show errors, or the pictures lie far outside of all that the model knows),
    it says how the endpoint should be run; with `--act` it is run so. `scones monitor status` tells how it stands.

    With `--every` it goes on until Ctrl+C or SIGTERM, which end it after the look.
    """
    from scones.cli.monitor._watching import Bounds, Shown, ended_by_signals, go_on
    from scones.errors import SettingsError
    from scones.monitoring.watch.look import Watcher
    from scones.monitoring.watch.monitor import Monitor
    from scones.monitoring.watch.rules import Rules
    from scones.notifications import open_notifier
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    if embedded is not None and as_json:
        raise SettingsError("--embedded and --json both print a line a look on stdout: choose one of them")
    if embedded is not None and not embedded.strip():
        raise SettingsError("--embedded is empty: name the namespace that CloudWatch is to keep the metrics in")
    settings = Settings.load(task=task, store=store, bucket=bucket, endpoint=endpoint, monitor_acts=act)
    name, place = load_task(settings.task).name, open_bucket(settings.store, settings.bucket)
    with progress_bar(as_json) as bar, open_notifier(settings) as notifier, ended_by_signals() as ending:
        line = bar.add_task("looking", total=None)
        watcher = Watcher(
            place,
            settings.endpoint,
            name,
            prefix=prefix and prefix.strip("/"),
            share=pictures,
            gap_seconds=settings.monitor_gap,
            report=lambda what, done, of: bar.update(line, description=what, completed=done, total=of or None),
        )
        rules = Rules(cautious_threshold=settings.drift_floor)
        monitor = Monitor(watcher, rules=rules, acts=settings.monitor_acts, tell=notifier.add)
        shown = Shown(
            bar.console,
            place,
            settings.endpoint,
            every=every,
            metrics=metrics,
            embedded=embedded,
            as_json=as_json,
        )
        go_on(monitor, shown, ending, Bounds(every=every, seconds=seconds, looks=looks))
