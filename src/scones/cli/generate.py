"""``scones generate``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json, progress_bar


def generate(
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many arrivals")] = 1,
    rate: Annotated[
        float | None, typer.Option(metavar="PER_SECOND", min=0.001, help="A stream at this rate; without it, a burst")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order in which test pictures come")] = 0,
    task: TaskOption = None,
    depot: Annotated[str | None, typer.Option(metavar="NAME", help="Where the drivers arrive  [main]")] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send test pictures as arrivals: one, a burst (`-n 200`), or a stream (`-n 200 --rate 5`).

    The pictures come from the test split of the dataset staged last. `scones run` works them.
    """
    import time
    from datetime import UTC, datetime

    from scones.page.numbers import plural
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.workflow.generator import send_arrivals

    settings = Settings.load(task=task, depot=depot, store=store, bucket=bucket)
    name = load_task(settings.task).name
    place = open_bucket(settings.store, settings.bucket)
    staged = load_dataset(place, name)
    keys: list[str] = []
    started = time.monotonic()
    with progress_bar(as_json) as bar:
        line = bar.add_task("arrivals", total=count)
        for arrival, _ in send_arrivals(
            place,
            staged,
            task=name,
            depot=settings.depot,
            run=f"{datetime.now(UTC):%Y%m%dt%H%M%S%f}",
            count=count,
            rate=rate,
            seed=seed,
            clock=time.monotonic,
            sleep=time.sleep,
        ):
            keys.append(arrival.path)
            bar.advance(line)
    seconds = time.monotonic() - started
    if as_json:
        print_json({"arrivals": keys, "seconds": round(seconds, 3), "per_second": round(count / max(seconds, 1e-9), 1)})
        return
    console().print(
        f"sent {plural(count, 'arrival')} in {seconds:.1f} s to {place.url('arrivals/' + name)}; now `scones run`"
    )
