"""The monitor's report: what came in, how sure the model was, and where it was not."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from scones.intervals import share_interval
from scones.monitoring import plots
from scones.page import Bars, Block, Chart, Column, Gallery, Key, Note, Picture, Section, Table, Tile, render_page
from scones.page.numbers import NONE, count, duration, interval, percent, plural

if TYPE_CHECKING:
    from datetime import datetime

    from scones.monitoring.summary import Summary, Unsure
    from scones.monitoring.watch.watched import Watched

__all__ = ["monitor_page"]


def monitor_page(
    summary: Summary, *, title: str = "What the endpoint saw", source: str = "", watched: Watched | None = None
) -> str:
    """Draw a summary as one self-contained HTML page; an empty one says how to fill it.

    Args:
        summary: as :func:`scones.monitoring.summarise` makes it.
        watched: what a watch of the endpoint wrote down; None says nothing of it, as of a capture that is not watched.
        title: the heading.
        source: where the capture was read, for people.

    Returns:
        The HTML text, which opens offline.
    """
    facts = [("Capture", source)] if source else []
    state, figures, seen = ("", [], []) if watched is None else _of_watch(watched)
    if not summary.records:
        sections = [*seen, *_empty(summary)] if state else [*_empty(summary), *seen]
        return render_page(title, sections, kind="Monitor report", lead=state, facts=facts, tiles=figures)
    assert summary.first is not None
    assert summary.last is not None  # there are records
    facts += [
        ("From", _when(summary.first)),
        ("To", _when(summary.last)),
        ("Pictures looked at", _sampled(summary.picture_share)),
    ]
    sections = [_traffic(summary), _confidence(summary), _least_sure(summary), _models(summary)]
    sections = [*seen, *sections] if state else [*sections, *seen]  # first what matters
    if summary.problems.lines:
        sections.append(Section("What could not be read", [_problems(summary)]))
    return render_page(
        title,
        sections,
        kind="Monitor report",
        lead=f"{state} {_lead(summary, summary.first, summary.last)}".lstrip(),
        facts=facts,
        tiles=[*figures, *_tiles(summary, (summary.last - summary.first).total_seconds())],
    )


def _of_watch(watched: Watched) -> tuple[str, list[Tile], list[Section]]:
    from scones.monitoring.watch_report import watch_sections
    from scones.monitoring.watch_words import watch_lead, watch_tiles

    return watch_lead(watched), watch_tiles(watched), watch_sections(watched)


def _sampled(share: float) -> str:
    """The sampling rate of the pictures, in words."""
    return "of all records" if share >= 1 else f"of {share * 100:.3g} % of the records, chosen by event id"


def _empty(summary: Summary) -> list[Section]:
    blocks: list[Block] = [
        Note(
            "There is no inference in this capture yet. Once pictures have been classified, this page shows how many "
            "came in, how sure the model was, and the pictures it was least sure of.",
            [
                "Start the endpoint: scones serve",
                "Send it some pictures: scones generate",
                "Or look elsewhere: scones monitor report --endpoint NAME --prefix PREFIX",
            ],
        )
    ]
    if summary.problems.lines:
        blocks.append(_problems(summary))
    return [Section("Nothing captured yet", blocks)]


def _lead(summary: Summary, first: datetime, last: datetime) -> str:
    label, number = next(iter(summary.labels.items()))
    seconds = (last - first).total_seconds()
    during = f" in {duration(max(1, seconds))}" if seconds else ""
    text = f"{plural(summary.records, 'picture')} {'was' if summary.records == 1 else 'were'} classified{during}. "
    if summary.below_share is None:
        text += "No threshold is known, so none can be called unsure. "
    elif summary.below:
        unsure = f"{count(summary.below)} ({percent(summary.below_share)})"
        text += f"The model was not sure enough of {unsure} to decide alone. "
    else:
        text += "The model was sure enough to decide all of them alone. "
    return f"{text}It answered {label} most often ({percent(number / summary.records, 0)})."


def _tiles(summary: Summary, seconds: float) -> list[Tile]:
    share, limit = summary.below_share, summary.threshold
    if share is None:
        judged = Tile("Below the threshold", NONE, "no record tells the threshold")
    else:
        detail = f"95 % interval {interval(*share_interval(summary.below, summary.judged))}"
        judged = Tile("Below the threshold", percent(share), f"{count(summary.below)} pictures; {detail}")
    now = "now in force" if len(summary.thresholds) > 1 else "in force throughout"
    lines = summary.problems.lines
    return [
        Tile("Pictures", count(summary.records), _rate(summary.records, seconds)),
        judged,
        Tile("Threshold", NONE if limit is None else f"{limit:.3f}", "unknown" if limit is None else now),
        Tile("Mean confidence", percent(summary.mean_confidence), "of the likeliest label"),
        Tile("Unreadable records", count(lines), "see the end of this page" if lines else "every line was read",
             "warn" if lines else "plain"),
    ]  # fmt: skip


def _rate(records: int, seconds: float) -> str:
    if seconds < 1:
        return "within a second"
    for size, unit in ((1, "second"), (60, "minute"), (3600, "hour"), (86400, "day")):
        if (rate := records * size / seconds) >= 1:
            return f"about {rate:,.0f} a {unit}" if rate >= 10 else f"about {rate:.1f} a {unit}"
    return f"over {duration(max(1, seconds))}"


def _traffic(summary: Summary) -> Section:
    peak = max(summary.bins, key=lambda entry: entry.records)
    width = plots.span_name(summary.bin_seconds)
    keys = [
        (Key("at or above the threshold", "blue"), summary.judged > summary.below),
        (Key("below it", "orange"), summary.below),
        (Key("no threshold known", "quiet"), summary.records > summary.judged),
    ]
    chart = Chart(
        "Pictures over time",
        plots.volume(summary),
        caption=f"A bar is {width}. The busiest, from {_when(peak.start, summary)}, "
        f"brought {plural(peak.records, 'picture')}.",
        keys=[key for key, used in keys if used],
        summary=f"Volume over time in steps of {width}; at most {plural(peak.records, 'picture')}.",
        wide=True,
    )
    return Section("Traffic", [chart])


def _confidence(summary: Summary) -> Section:
    shown = (
        f"The dots are a sample of {count(len(summary.dots))} of {count(summary.records)}."
        if len(summary.dots) < summary.records
        else "A dot is a picture."
    )
    keys = [
        (Key("a picture", "blue", "dot"), summary.judged == 0 or summary.judged > summary.below),
        (Key("a picture below the threshold", "orange", "dot"), summary.below),
        (Key(f"median of each {plots.bin_name(summary)}", "blue", "line"), True),
        (Key("80 % of the pictures", "blue", "band"), len(summary.bins) > 1),
        (Key("threshold in force", "alert", "dashes"), summary.threshold is not None),
    ]
    line = "" if summary.threshold is None else " The dashed line is the threshold in force."
    return Section(
        "How sure it was",
        [
            Chart(
                "Confidence over time",
                plots.confidence_over_time(summary),
                caption=f"{shown} The band leaves out the lowest and the highest tenth of each "
                f"{plots.bin_name(summary)}.",
                keys=[key for key, used in keys if used],
                summary=f"Confidence over time; mean {percent(summary.mean_confidence)}.",
                wide=True,
            ),
            Chart(
                "All confidences",
                plots.confidence_histogram(summary),
                caption=f"How many pictures got which confidence.{line}",
                summary=f"Histogram of confidence; {percent(summary.below_share)} below the threshold.",
            ),
            Bars("Answers", plots.label_mix(summary), caption="How often each label was the likeliest."),
        ],
        "A falling line, or more dots below the threshold, says that pictures have changed before anybody labels one.",
    )


def _least_sure(summary: Summary) -> Section:
    gallery = Gallery(
        f"The least sure {plural(len(summary.unsure), 'picture')}" if len(summary.unsure) > 1 else "The least sure",
        [_picture(entry, summary) for entry in summary.unsure],
        caption="The least sure first. The bar is the confidence, the mark on it the threshold in force.",
    )
    return Section(
        "Where it hesitated", [gallery], "The pictures that tell most about what the model does not know yet."
    )


def _picture(entry: Unsure, summary: Summary) -> Picture:
    return Picture(
        entry.picture,
        title=entry.label,
        detail=f"{percent(entry.confidence)} sure, {_when(entry.time, summary)}",
        name=entry.name,
        level=entry.confidence,
        mark=entry.threshold,
    )


def _models(summary: Summary) -> Section:
    rows = [
        [
            entry.version or "not told",
            count(entry.records),
            percent(entry.mean),
            percent(entry.below / entry.judged) if entry.judged else NONE,
            _when(entry.first),
            _when(entry.last),
        ]
        for entry in summary.versions
    ]
    columns = [
        Column("Version"),
        Column("Pictures", numeric=True),
        Column("Mean confidence", numeric=True),
        Column("Below threshold", numeric=True),
        Column("First (UTC)"),
        Column("Last (UTC)"),
    ]
    caption = (
        "" if not summary.without_picture else f"{plural(summary.without_picture, 'record')} came without a picture."
    )
    return Section("Who answered", [Table("Model versions", columns, rows, caption=caption, wide=True)])


def _problems(summary: Summary) -> Note:
    lines, examples = summary.problems.lines, summary.problems.examples
    more = "" if lines <= len(examples) else f" The first {len(examples)}:"
    return Note(
        f"{plural(lines, 'record')} could not be used and {'is' if lines == 1 else 'are'} left out.{more}",
        examples,
        "warn",
    )


def _when(time: datetime, summary: Summary | None = None) -> str:
    """A time (UTC) as people read it; in a summary of one day without the day, of many without seconds."""
    utc = time.astimezone(UTC)
    if summary is None or summary.first is None or summary.last is None:
        return f"{utc:%-d %b %Y, %H:%M:%S}"
    one_day = summary.first.astimezone(UTC).date() == summary.last.astimezone(UTC).date()
    return f"{utc:%H:%M:%S}" if one_day else f"{utc:%-d %b %H:%M}"
