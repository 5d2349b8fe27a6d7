"""``scones monitor override``, ``release``, ``undo`` and ``history``: what people decide, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scones.cli._common import (
    BucketOption,
    EndpointOption,
    JsonOption,
    StoreOption,
    TaskOption,
    WhoOption,
    console,
    print_json,
    results,
    whoami,
)

if TYPE_CHECKING:
    from scones.monitoring.watch.records import Standing
    from scones.store import Bucket

_Name = Literal["observing", "cautious", "shadowing", "canary", "rolled-back"]
_WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="For the record", show_default=False)]
_DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen")]


def override(
    stance: Annotated[_Name, typer.Argument(help="How the endpoint is to be run", show_default=False)],
    why: _WhyOption,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="The least threshold in force, 0 to 1  [drift_floor]")
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="What goes on trial: a version, or an alias  [the task's candidate]"),
    ] = None,
    weight: Annotated[
        float | None, typer.Option(min=0, max=1, help="A canary's share of the pictures, 0 to 1  [0.1]")
    ] = None,
    who: WhoOption = None,
    dry_run: _DryRunOption = False,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide how the endpoint is run, instead of the monitor, which changes nothing until `release`.

    `observing`: production answers as it was promoted to. `cautious`: below a higher threshold people decide.
    `shadowing`: a candidate answers the same pictures, and nobody gets its answers. `canary`: it answers a share of
    them for real. `rolled-back`: the model that was in production before answers again.

    A running endpoint follows within seconds. On AWS: `scones aws stance --apply`.
    """
    from datetime import UTC, datetime

    from scones.monitoring.watch.overriding import overridden
    from scones.monitoring.watch.records import Stance
    from scones.monitoring.watch.rules import Rules
    from scones.monitoring.watch.standings import newest_standing
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    settings = Settings.load(endpoint=endpoint, task=task, store=store, bucket=bucket)
    place, name = open_bucket(settings.store, settings.bucket), load_task(settings.task).name
    after, _ = newest_standing(place, settings.endpoint)
    wanted = overridden(
        place,
        name,
        Stance(stance.replace("-", " ")),
        who=who or whoami(),
        why=_said(why),
        now=datetime.now(UTC),
        rules=Rules(cautious_threshold=settings.drift_floor),
        threshold=threshold,
        candidate=candidate,
        weight=weight,
    )
    _take(place, settings.endpoint, name, wanted, after, dry_run=dry_run, as_json=as_json)


def release(
    why: _WhyOption,
    who: WhoOption = None,
    dry_run: _DryRunOption = False,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the monitor decide again. The endpoint is run as it is until the monitor finds a reason to change it."""
    from datetime import UTC, datetime

    from scones.monitoring.watch.overriding import released
    from scones.monitoring.watch.standings import in_force, newest_standing
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    settings = Settings.load(endpoint=endpoint, task=task, store=store, bucket=bucket)
    place, name = open_bucket(settings.store, settings.bucket), load_task(settings.task).name
    after, _ = newest_standing(place, settings.endpoint)
    now = in_force(place, settings.endpoint)
    wanted = released(place, name, now, who=who or whoami(), why=_said(why), now=datetime.now(UTC))
    if wanted is None:
        if as_json:
            print_json({"endpoint": settings.endpoint, "taken": False, "dry_run": dry_run, "number": after, "did": ""})
        else:
            console().print(f"the monitor decides about endpoint {settings.endpoint} already: nothing to do")
        return
    _take(place, settings.endpoint, name, wanted, after, dry_run=dry_run, as_json=as_json)


def undo(
    why: _WhyOption,
    who: WhoOption = None,
    dry_run: _DryRunOption = False,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to the stance before the present one; twice is as if nothing was undone.

    After a rollback, the model that was left comes back too, unless someone changed production since. What the
    monitor had decided is held then, as it would decide the same again: `release` lets it.
    """
    from datetime import UTC, datetime

    from scones.monitoring.watch.overriding import undone
    from scones.monitoring.watch.standings import newest_standing, read_standings
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    settings = Settings.load(endpoint=endpoint, task=task, store=store, bucket=bucket)
    place, name = open_bucket(settings.store, settings.bucket), load_task(settings.task).name
    after, _ = newest_standing(place, settings.endpoint)
    stood = read_standings(place, settings.endpoint)
    told = {"who": who or whoami(), "why": _said(why)}
    wanted = undone(place, settings.endpoint, name, stood, now=datetime.now(UTC), **told)
    _take(place, settings.endpoint, name, wanted, after, dry_run=dry_run, as_json=as_json)


def history(
    endpoint: EndpointOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every stance that the endpoint was given, the newest first: when, who decided it, and why."""
    from rich.table import Column, Table
    from rich.text import Text

    from scones.monitoring.watch.standings import read_standings
    from scones.settings import Settings
    from scones.store import open_bucket

    settings = Settings.load(endpoint=endpoint, store=store, bucket=bucket)
    stood = read_standings(open_bucket(settings.store, settings.bucket), settings.endpoint)[::-1]
    if as_json:
        print_json([{"number": one.number, **one.standing.model_dump(mode="json")} for one in stood])
        return
    if not stood:
        console().print(f"endpoint {settings.endpoint} was never given a stance: it is run as it was promoted to")
        return
    table = Table("number", "when (UTC)", "stance", "who", Column("why", overflow="fold"))
    for one in stood:
        at = f"{one.standing.at:%Y-%m-%d %H:%M:%S}"
        # Text: what people wrote may hold what rich reads as markup
        table.add_row(str(one.number), at, _named(one.standing), Text(one.standing.who), Text(one.standing.why))
    results().print(table)


def _said(why: str) -> str:
    from scones.errors import SettingsError

    if not why.strip():
        raise SettingsError("--why is empty: say why, it goes on record")
    return why


def _take(
    place: Bucket, endpoint: str, task: str, wanted: Standing, after: int, *, dry_run: bool, as_json: bool
) -> None:
    """Give the endpoint the stance, do what it needs, and say so."""
    from scones.monitoring.watch.acting import apply
    from scones.monitoring.watch.standings import stand

    number, did = after, ""
    if not dry_run:
        number = stand(place, endpoint, wanted, after)
        did = apply(place, task, wanted, wanted.at)
    if as_json:
        told = {"endpoint": endpoint, "taken": not dry_run, "dry_run": dry_run, "number": number, "did": did}
        print_json({**told, "standing": wanted.model_dump(mode="json")})
        return
    err = console()
    would = "would be" if dry_run else "is"
    err.print(f"endpoint {endpoint} {would} run so: {_named(wanted)}", soft_wrap=True, markup=False)
    if did:
        err.print(did, soft_wrap=True, markup=False)


def _named(standing: Standing) -> str:
    """The stance with all that goes with it."""
    parts = [standing.stance.value]
    if standing.version:
        parts.append(f"model {standing.version}")
    if standing.threshold is not None:
        parts.append(f"threshold at least {standing.threshold:g}")
    if standing.candidate:
        parts.append(f"candidate {standing.candidate}" + (f" answers {standing.weight:.0%}" if standing.weight else ""))
    parts += ["held"] if standing.held else []
    parts += ["only said"] if standing.dry_run else []
    return ", ".join(parts)
