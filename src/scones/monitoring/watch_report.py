"""The watch's part of the monitor's report: whether pictures drift, how good the answers are, and what was done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from scones.monitoring import watch_plots as plots
from scones.monitoring import watch_series as series
from scones.monitoring.watch.deciding import MONITOR
from scones.monitoring.watch.records import Look, Standing
from scones.monitoring.watch.watched import Watched
from scones.monitoring.watch_words import in_force, magnitude, meaning, quiet, sentence, when
from scones.page import Block, Chart, Column, Gallery, Key, Note, Picture, Section, Table
from scones.page.numbers import NONE, count, percent, plural

__all__ = ["watch_sections"]

_NAMED: Final = 3
_MOST_ROWS: Final = 50


def watch_sections(watched: Watched) -> list[Section]:
    """What the watch saw, estimated and did; where nobody watches, how to begin."""
    if not watched.looks:
        return [_unwatched(watched)]
    return [_drift(watched), _quality(watched.looks), _actions(watched)]


def _unwatched(watched: Watched) -> Section:
    note = Note(
        "Nobody watches this endpoint. A watch compares each new picture with those that the model was tested on, "
        "estimates how good the answers are, says when they become worse, and acts.",
        ["Look once: scones monitor watch", "Keep looking: scones monitor watch --every 60"],
    )
    return Section("Drift and quality", [note, *([_decisions(watched)] if watched.standings else [])])


def _drift(watched: Watched) -> Section:
    looks = watched.looks
    blocks: list[Block] = [_findings(watched), _evidence(looks)]
    if looks[-1].alarm is not None:
        blocks += [_telling(looks[-1]), *_pictures(watched)]
    return Section(
        "Whether the pictures drift",
        blocks,
        f"Evidence grows where new pictures differ from {_compared_with(looks[-1])}. It needs no labels.",
    )


def _compared_with(look: Look) -> str:
    if not look.baseline:
        return "those that the model was tested on"
    return f"those that were declared healthy: {look.baseline}"


def _findings(watched: Watched) -> Note:
    if not watched.findings:
        return Note(f"Nothing stands out: {quiet(watched.looks[-1])}.", tone="good")
    first, *more = watched.findings
    return Note(
        sentence(first.text), [sentence(one.text) for one in more], "plain" if first.level == "info" else "warn"
    )


def _evidence(looks: Sequence[Look]) -> Chart:
    last, shown = looks[-1], series.strongest(looks)
    others = len({name for look in looks for name in look.evidence}) - len(shown)
    keys = [Key("the strongest channel", "ink", "line"), Key("alarm line", "alert", "dashes")]
    if series.alarms(looks):
        keys.append(Key("since a drift likely began", "alert", "band"))
    keys += _keys(shown)
    if others:
        keys.append(Key(plural(others, "other channel"), "quiet", "line"))
    state = "no alarm" if last.alarm is None else f"an alarm since {when(last.alarm.at)}"
    return Chart(
        "Evidence over time",
        plots.evidence(looks),
        caption="In powers of ten. Where the strongest channel reaches the dashed line, there is an alarm. It stands "
        "until the watch begins anew.",
        keys=keys,
        summary=f"Evidence of drift over {plural(len(looks), 'look')}: now {magnitude(last.strongest)}, the alarm "
        f"line is {magnitude(last.alarm_line)}, {state}. Strongest: {', '.join(shown[:_NAMED])}.",
        wide=True,
    )


def _telling(look: Look) -> Table:
    alarm = look.alarm
    assert alarm is not None
    rows = [
        [one.channel, meaning(one.channel), magnitude(one.evidence),
         magnitude(look.evidence.get(one.channel, math.nan)), _cell(one.began)]
        for one in alarm.channels
    ]  # fmt: skip
    columns = [
        Column("Channel"),
        Column("What it measures"),
        Column("Evidence at the alarm", numeric=True),
        Column("Now", numeric=True),
        Column("Likely began (UTC)"),
    ]
    caption = (
        f"The alarm was raised {when(alarm.at)} (UTC), at picture {count(alarm.picture + 1)} of the watch. "
        f"{percent(alarm.outside, 0)} of the pictures since the drift began lie far outside of all reference pictures."
    )
    return Table("Which channels tell of it", columns, rows, caption=caption, wide=True)


def _pictures(watched: Watched) -> Iterator[Gallery]:
    yield Gallery(
        "The pictures that tell most",
        watched.responsible,
        caption="Of those since the drift began, the most telling first.",
        empty="Their pictures were not captured, or are no longer there.",
        wide=False,
    )
    yield Gallery(
        "Pictures as they should be",
        [Picture(data, title="") for data in watched.reference],
        caption="Some that the model was tested on, drawn at random.",
        empty="The model's reference pictures are not kept.",
        wide=False,
    )


def _quality(looks: Sequence[Look]) -> Section:
    last = looks[-1]
    keys = [(Key("estimated without labels", "blue", "line"), True), (Key("its 95 % interval", "blue", "band"), True),
            (Key("by people's answers", "orange", "dot"), bool(series.reviews(looks))),
            (Key("expected", "green", "dashes"), last.expected is not None)]  # fmt: skip
    told = "unknown" if last.accuracy is None else percent(last.accuracy.share)
    answered = "" if last.reviewed is None else f", {percent(last.reviewed.share)} by people's answers"
    warning = "" if last.accuracy is None else sentence(last.accuracy.warning)
    chart = Chart(
        "Accuracy over time",
        plots.accuracy(looks),
        caption=f"Expected is what the model reached on its calibration pictures. {warning}".rstrip(),
        keys=[key for key, used in keys if used],
        summary=f"Accuracy over time: now {told} estimated{answered}, {percent(last.expected)} expected.",
        wide=True,
    )
    return Section("How good the answers are", [chart, *_mix(looks)])


def _mix(looks: Sequence[Look]) -> Iterator[Chart]:
    shown = series.labels(looks)
    if not shown:
        return
    last = next(look for look in reversed(looks) if look.mix)
    caption = "The true shares, as estimated from the answers, with their 95 % intervals."
    if more := len(last.mix) - len(shown):
        left_out = "1 smaller class is" if more == 1 else f"{more} smaller classes are"
        caption += f" {left_out} left out."
    yield Chart(
        "Class mix over time",
        plots.class_mix(looks),
        caption=f"{caption} {sentence(last.mix_warning)}".rstrip(),
        keys=_keys(shown),
        summary="Class mix now: " + ", ".join(f"{label} {percent(last.mix[label].share)}" for label in shown) + ".",
        wide=True,
    )


def _actions(watched: Watched) -> Section:
    start, standings = watched.looks[0].at, watched.standings
    end = max([watched.looks[-1].at, *(standing.at for standing in standings[-1:])])
    shown = series.spans(standings, start, end)
    blocks: list[Block] = []
    if shown:
        chart = Chart(
            "Stances over time",
            plots.stances(shown),
            caption="From trust, at the top, to none. What a dry run only said is pale.",
            summary=f"{plural(len(shown), 'stance')} over time; now {in_force(watched).stance}.",
            wide=True,
        )
        blocks.append(chart)
    return Section("What was done", [*blocks, _decisions(watched)])


def _decisions(watched: Watched) -> Block:
    rows = [(standing.at, _decision(standing)) for standing in watched.standings]
    noted = (look for look in watched.looks if look.note)
    rows += [(look.at, [_cell(look.at), NONE, "", MONITOR, sentence(look.note)]) for look in noted]
    if not rows:
        return Note("Nobody had to decide anything yet. A person can at any time: scones monitor override")
    newest = sorted(rows, key=lambda row: row[0], reverse=True)
    more = f", {_MOST_ROWS} of {count(len(rows))}" if len(rows) > _MOST_ROWS else ""
    columns = [Column("When (UTC)"), Column("Stance"), Column("How"), Column("Who"), Column("Why")]
    return Table(
        "Decisions and events",
        columns,
        [row for _, row in newest[:_MOST_ROWS]],
        caption=f"The newest first{more}.",
        wide=True,
    )


def _decision(standing: Standing) -> list[str]:
    how = [
        "only said, not done" if standing.dry_run else "",
        "held" if standing.held else "",
        "" if standing.version is None else f"model {standing.version}",
        "" if standing.threshold is None else f"threshold at least {standing.threshold:g}",
        "" if standing.candidate is None else f"candidate {standing.candidate}",
        "" if not standing.weight else f"for {percent(standing.weight, None)}",
    ]
    return [_cell(standing.at), standing.stance, ", ".join(filter(None, how)), standing.who, sentence(standing.why)]


def _keys(names: Iterable[str]) -> list[Key]:
    return [
        Key(name, style.name, "dashes" if style.dashed else "line")
        for name, style in zip(names, plots.STYLES, strict=False)
    ]


def _cell(time: datetime) -> str:
    return when(time).replace(" ", "\N{NO-BREAK SPACE}")
