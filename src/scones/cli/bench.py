"""``scones bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import JsonOption, console, print_json, results, write_out

if TYPE_CHECKING:
    from rich.table import Table

    from scones.loadtest import Curve, Rate, Sample, Step

__all__ = ["bench"]

bench = typer.Typer(name="bench", help="Measure what an endpoint can take.", no_args_is_help=True)


@bench.callback()
def _bench() -> None:
    """Measure what an endpoint can take: throughput, latencies, the knee, and what size that means."""


@bench.command()
def endpoint(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it answers, as http://127.0.0.1:8080")],
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Send the PNG, JPEG and WebP files in it  [drawn ones]")
    ] = None,
    connections: Annotated[
        str, typer.Option(metavar="N,N,…", help="How many callers at once, a step each")
    ] = "1,2,4,8,16,32,64,128,256",
    rates: Annotated[
        str,
        typer.Option(
            metavar="RATE,…", help="Then these rates: requests a second, or % of the knee's throughput; 'none'"
        ),
    ] = "70%,90%",
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="How long a step takes; all at most 900")] = 5.0,
    p99_ms: Annotated[
        float | None,
        typer.Option("--p99-ms", min=0, help="The p99 that callers bear, milliseconds  [twice that of the first step]"),
    ] = None,
    expect: Annotated[
        float | None,
        typer.Option(metavar="RATE", min=0, help="Requests a second at the busiest: says how many instances"),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that send the load")] = 1,
    remote: Annotated[
        bool, typer.Option("--remote", help="It is on another machine, it is yours, and it may be overloaded")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it as a page")] = None,
    as_json: JsonOption = False,
) -> None:
    """Load an endpoint for a while; say throughput, latencies and the knee, and how many instances a rate takes.

    First ever more callers, each of which waits for its answer before it asks again: the knee is the most throughput
    with a p99 within the limit, nothing refused and nothing lost. Then rates at random times, as many independent
    callers ask, with latencies from the moment at which a request was due.

    The load goes to this machine alone unless you say `--remote`, and always ends: all steps take 55 seconds unless
    you say otherwise. Measure on the kind of machine that will serve, with pictures as they will come.
    """
    from datetime import UTC, datetime

    from scones.loadtest import (
        Generator,
        Plan,
        advise,
        ask_once,
        drawn_samples,
        encode_request,
        find_target,
        folder_samples,
        load_page,
        sweep,
    )
    from scones.page.numbers import plural

    target = find_target(url, remote=remote)
    plan = Plan(_numbers(connections), _rates(rates), seconds, p99_ms)
    samples = drawn_samples() if pictures is None else folder_samples(pictures)
    ask_once(target, samples)
    if not as_json:
        console().print(
            f"loading {target.url} for {plan.total_seconds:,.0f} seconds with {_named(samples, pictures)} …",
            soft_wrap=True,
        )
    with Generator(target, [encode_request(target, sample) for sample in samples], processes) as generator:
        curve = sweep(generator, plan, report=lambda step: None if as_json else _tell(step))
    said, sizing = advise(curve, expect)
    told = {}
    if out is not None:
        page = load_page(
            curve, url=target.url, pictures=_named(samples, pictures), at=datetime.now(UTC), expected=expect
        )
        told["page"] = write_out(page, out)
    if as_json:
        print_json({
            "url": target.url,
            "pictures": len(samples),
            "mean_bytes": round(sum(len(sample.data) for sample in samples) / len(samples)),
            "generator": f"scones bench, {plural(processes, 'process', 'processes')}, on the machine that measures",
            **curve.to_json(),
            "sizing": None if sizing is None else sizing.to_json(),
            "advice": said,
            **told,
        })  # fmt: skip
        return
    results().print(_table(curve))
    for sentence in said:
        typer.echo(sentence)
    if told:
        typer.echo(told["page"])


def _named(samples: list[Sample], folder: Path | None) -> str:
    from scones.page.numbers import plural

    kilobytes = sum(len(sample.data) for sample in samples) / len(samples) / 1000
    return f"{plural(len(samples), 'picture')} {f'of {folder}' if folder else 'drawn'}, {kilobytes:,.1f} kB each"


def _numbers(text: str) -> list[int]:
    from scones.errors import SettingsError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise SettingsError(f"--connections {text!r} is no list of numbers: write it as 1,2,4,8")
    return [int(part) for part in parts]


def _rates(text: str) -> list[Rate]:
    from scones.errors import SettingsError
    from scones.loadtest import Rate

    if text.strip() == "none":
        return []
    found = []
    for part in (part.strip() for part in text.split(",")):
        try:
            value = float(part.removesuffix("%"))
        except ValueError as error:
            raise SettingsError(f"--rates {text!r} is no list of rates: write it as 500,1000 or 70%,90%") from error
        found.append(Rate(value / 100, of_knee=True) if part.endswith("%") else Rate(value))
    return found


def _tell(step: Step) -> None:
    from scones.loadtest.advice import load_name, milliseconds, per_second

    p99 = f"p99 {milliseconds(step.latency.p99)}" if step.latency else "nothing answered"
    more = "".join(
        f", {number:,} {what}" for what, number in (("refused", step.refused), ("failed", step.failed)) if number
    )
    console().print(f"  {load_name(step)}: {per_second(step.throughput)}, {p99}{more}", soft_wrap=True)


def _table(curve: Curve) -> Table:
    from rich.table import Table

    from scones.loadtest.advice import load_name, milliseconds, per_second
    from scones.page.numbers import NONE

    table = Table("load", *(), box=None, pad_edge=False)
    for title in ("answers", "p50", "p90", "p99", "99.9 %", "refused", "failed"):
        table.add_column(title, justify="right")
    table.add_column("")
    for step in (*curve.steps, *curve.open_steps):
        one = step.latency
        times = [milliseconds(value) for value in (one.p50, one.p90, one.p99, one.p999)] if one else [NONE] * 4
        note = "the knee" if step is curve.knee else "the most" if step is curve.peak else ""
        counts = [f"{step.refused:,}", f"{step.failed:,}"]
        table.add_row(load_name(step), per_second(step.throughput), *times, *counts, note)
    return table
