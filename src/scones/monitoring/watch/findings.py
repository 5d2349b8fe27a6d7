"""What a look found, in words: for the page, the command line and notifications. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from scones.monitoring.watch.records import Alarm, Estimate, Look
from scones.monitoring.watch.rules import Rules, confirmed_error, far_outside, harmful
from scones.page.numbers import duration, plural

__all__ = ["Finding", "Level", "findings", "harm"]

Level: TypeAlias = Literal["info", "warning", "harm"]
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """Something that somebody should know.

    Attributes:
        level: ``harm``, which the monitor acts on; ``warning``, which a person should look at; or ``info``.
        signal: what it is about, the same each time: findings of one signal belong together.
        text: the whole of it, with its figures and what to do.
    """

    level: Level
    signal: str
    text: str


def findings(look: Look, rules: Rules) -> tuple[Finding, ...]:
    """What a look found, the worst first; nothing where all is well."""
    return (*_harm(look, rules), *_warnings(look, rules), *_more(look))


def harm(look: Look, rules: Rules) -> str:
    """The harm that a look found, in words; empty where it found none."""
    return "; ".join(one.text for one in _harm(look, rules))


def _harm(look: Look, rules: Rules) -> Iterator[Finding]:
    if confirmed_error(look, rules) and look.reviewed is not None:
        text = f"the model errs: {_beside(look.reviewed, look)}, by the answers of {_people(look.reviewed)}"
        yield Finding("harm", "accuracy", text)
    if far_outside(look, rules) and look.alarm is not None:
        text = (
            f"{look.alarm.outside:.0%} of the pictures since {look.alarm.began:%Y-%m-%d %H:%M} UTC lie far outside of "
            f"all that the model knows, so that its answers mean nothing there ({_channels(look.alarm)})"
        )
        yield Finding("harm", "outside", text)


def _warnings(look: Look, rules: Rules) -> Iterator[Finding]:
    if look.alarm is not None and not harmful(look, rules):
        text = (
            f"{_channels(look.alarm)} drifted, since {look.alarm.began:%Y-%m-%d %H:%M} UTC or so; nothing shows that "
            "answers suffer. To be sure, have people judge some: scones monitor audit"
        )
        yield Finding("warning", "drift", text)
    accuracy = look.accuracy
    if accuracy and look.expected is not None and accuracy.high < look.expected - rules.accuracy_drop:
        text = (
            f"the model seems to err: {_beside(accuracy, look)}, {accuracy.warning or 'estimated without labels'}. "
            "To be sure, have people judge some: scones monitor audit"
        )
        yield Finding("warning", "estimated accuracy", text)
    if look.gap is not None:
        text = (
            f"nothing was captured for {duration(look.gap)}: look whether pictures still come, whether the endpoint "
            "answers, and whether it captures"
        )
        yield Finding("warning", "capture", text)
    if look.unreadable:
        text = f"{plural(look.unreadable, 'line, file or picture', 'lines, files and pictures')} could not be used"
        yield Finding("warning", "unreadable", f"{text}: scones monitor report names some")


def _more(look: Look) -> Iterator[Finding]:
    if look.mix_warning:
        yield Finding("info", "class mix", look.mix_warning)


def _beside(estimate: Estimate, look: Look) -> str:
    return (
        f"accuracy {estimate.share:.1%} (95 % interval {estimate.low:.1%} to {estimate.high:.1%}), where "
        f"{look.expected or 0:.1%} were expected"
    )


def _people(estimate: Estimate) -> str:
    return f"people about {plural(estimate.answers, 'picture')}"


def _channels(alarm: Alarm) -> str:
    names = [one.channel for one in alarm.channels]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "") if names else "the pictures"
