"""The watch in words and headline figures: the first that a reader of the report sees."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from scones.monitoring.watch.deciding import START
from scones.monitoring.watch.records import Alarm, Estimate, Look, Stance, Standing
from scones.monitoring.watch.watched import Watched
from scones.page import Tile
from scones.page.numbers import NONE, duration, interval, percent, plural

__all__ = ["in_force", "magnitude", "meaning", "quiet", "sentence", "watch_lead", "watch_tiles", "when"]

_NAMED: Final = 3
_MEANINGS: Final = {
    "brightness": "how bright the picture is on average",
    "contrast": "how far its brightness spreads",
    "colour": "how colourful it is",
    "darkest": "how bright its darkest parts are, which fog lifts",
    "sharpness": "how sharp its details are",
    "noise": "how grainy its smooth parts are",
    "blockiness": "how much the blocks of JPEG show",
    "size": "how many pixels it has",
    "class": "which label is the likeliest",
    "confidence": "how sure the model is",
    "log odds": "how far the model leans to one of its two labels",
    "distance": "how strange the picture is to the model",
    "embedding": "how much it looks like what is new in the stream",
}


def watch_lead(watched: Watched) -> str:
    """The state of things in a sentence or two; empty where nobody watches."""
    if not watched.looks:
        return ""
    last = watched.looks[-1]
    if last.alarm is not None:
        text = f"The pictures have changed since {when(last.alarm.began)} (UTC), in {_channels(last.alarm)}."
    elif any(one.level == "harm" for one in watched.findings):
        text = "The pictures have not changed, but the answers have become worse."
    elif last.gap is not None:
        text = f"Nothing has been captured for {duration(last.gap)}."
    else:
        text = f"All is well: {quiet(last)}."
    return f"{text} {_run(watched)}"


def quiet(look: Look) -> str:
    """That nothing was found, and in how much."""
    return f"no drift in {plural(look.seen, 'picture')}"


def _run(watched: Watched) -> str:
    """How the endpoint is run, in a sentence or two."""
    standing = in_force(watched)
    since, newest = f"since {when(standing.at)} (UTC)", watched.standings[-1] if watched.standings else standing
    weight = percent(standing.weight, None)
    text = {
        Stance.OBSERVING: "The endpoint answers as it was promoted to.",
        Stance.CAUTIOUS: f"The endpoint is cautious {since}.",
        Stance.SHADOWING: f"The endpoint is cautious, and a candidate answers in the shadow {since}.",
        Stance.CANARY: f"The endpoint is cautious, and a candidate answers {weight} of the pictures {since}.",
        Stance.ROLLED_BACK: f"The model before answers again {since}.",
    }[standing.stance]
    return f"{text} A dry run says: {newest.stance}." if newest.dry_run else text


def in_force(watched: Watched) -> Standing:
    """The newest stance that was not only said."""
    return next((standing for standing in reversed(watched.standings) if not standing.dry_run), START)


def watch_tiles(watched: Watched) -> list[Tile]:
    """The watch's headline figures; none where nobody watches."""
    if not watched.looks:
        return []
    last, standing = watched.looks[-1], in_force(watched)
    over = "" if last.alarm is None else f", crossed {when(last.alarm.at)}"
    people = "" if last.reviewed is None else f"of {plural(last.reviewed.answers, 'picture')}"
    return [
        Tile("Stance", standing.stance, _since(standing), "good" if standing.stance is Stance.OBSERVING else "warn"),
        Tile("Evidence of drift", magnitude(last.strongest), f"alarm line {magnitude(last.alarm_line)}{over}",
             "good" if last.alarm is None else "warn"),
        _accuracy("Estimated accuracy", last.accuracy, last, "no picture was seen yet", "without labels"),
        _accuracy("Accuracy by people", last.reviewed, last, "have some judged: scones monitor audit", people),
        _newest(last),
    ]  # fmt: skip


def _since(standing: Standing) -> str:
    if standing is START:
        return "nobody decided anything yet"
    return f"{standing.who}, {when(standing.at)}{', held' if standing.held else ''}"


def _accuracy(title: str, estimate: Estimate | None, look: Look, none: str, by: str) -> Tile:
    if estimate is None:
        return Tile(title, NONE, none)
    told = [by, f"95 % interval {interval(estimate.low, estimate.high)}"]
    if look.expected is not None:
        told.append(f"{percent(look.expected)} expected")
    worse = look.expected is not None and estimate.high < look.expected
    return Tile(title, percent(estimate.share), "; ".join(told), "warn" if worse else "plain")


def _newest(look: Look) -> Tile:
    if look.newest is None:
        return Tile("Newest record", NONE, "nothing was captured yet", "plain" if look.gap is None else "warn")
    age = max(0.0, (look.at - look.newest).total_seconds())
    size, unit = next(((s, u) for s, u in ((86_400, "d"), (3600, "h"), (60, "min")) if age >= 2 * s), (1, "s"))
    before = f"before the last look, {when(look.at)}"
    return Tile("Newest record", f"{age / size:.0f} {unit}", before, "plain" if look.gap is None else "warn")


def _channels(alarm: Alarm) -> str:
    names = [one.channel for one in alarm.channels]
    more = len(names) - _NAMED
    if more > 0:
        return f"{', '.join(names[:_NAMED])} and {more} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def meaning(channel: str) -> str:
    """What a channel measures, in words; empty where it is not known.

    Example:
        >>> meaning("like blur"), meaning("distance")
        ('how much the picture looks damaged by blur', 'how strange the picture is to the model')
    """
    if channel.startswith("like "):
        return f"how much the picture looks damaged by {channel.removeprefix('like ')}"
    return _MEANINGS.get(channel, "")


def magnitude(value: float) -> str:
    """Evidence as people read it: from a million on by its power of ten.

    Example:
        >>> magnitude(0.123), magnitude(250_000), magnitude(3.2e23)
        ('0.12', '250,000', '10²³')
    """
    if not math.isfinite(value):
        return NONE
    if value < 1e6:
        return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
    return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(math.floor(math.log10(value))))


def sentence(text: str) -> str:
    """A text that starts with a capital and ends with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith((".", "!", "?")) else ".")


def when(time: datetime) -> str:
    """A time (UTC), to the minute."""
    return f"{time.astimezone(UTC):%-d %b %H:%M}"
