"""How an endpoint is to be run, by what the latest looks found: a small state machine. No I/O.

::

                       harm                 harm, and there           it does better,
                                            is a candidate            and harm goes on
    ┌───────────┐ ───────────────▶ ┌──────────┐ ─────────▶ ┌───────────┐ ─────────▶ ┌────────┐
    │ OBSERVING │                  │ CAUTIOUS │            │ SHADOWING │            │ CANARY │
    └───────────┘ ◀─────────────── └──────────┘ ◀───────── └───────────┘            └────────┘
          ▲            well again     │    ▲  ▲                  │                    │    │
          │                           │    │  └──────────────────┼────────────────────┘    │
          │ well again, or            │    │      well again, or the candidate is no good  │
          │ a person changed          │    │                     │                         │
          │ production                │    │ harm goes on        │                         │
          │                           ▼    │                     │                         │
          │                        ┌─────────────┐               │                         │
          └─────────────────────── │ ROLLED BACK │ ◀─────────────┴─────────────────────────┘
                                   └─────────────┘    the model before does better, and no
                                                      candidate is left or none does

``TRANSITIONS`` is this as a table. From each stance the first one counts whose condition holds.

- Harm is what :mod:`scones.monitoring.watch.rules` says. A drift that does none changes nothing.
- Whatever is decided stands for at least ``looks_to_act`` looks: only looks after it count as evidence, and only those
  at the model in production that saw new pictures.
- It rolls back only to a model that is shown to do better on the same pictures, where the harm began after production
  was promoted, and where the model before was found not to see the drift. If it sees the same, the world has changed
  and not the model; if nobody can tell, it stays as well.
- A stance that a person decided on holds until a person lets it go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from scones.monitoring.watch.evidence import Case, Known
from scones.monitoring.watch.findings import Finding, harm
from scones.monitoring.watch.records import Look, Stance, Standing
from scones.monitoring.watch.rules import Rules
from scones.page.numbers import plural

__all__ = ["MONITOR", "START", "TRANSITIONS", "Transition", "decide", "proposal"]

MONITOR: Final = "monitor"
"""Who decides here."""
START: Final = Standing(who=MONITOR, why="nothing was decided yet", at=datetime.min.replace(tzinfo=UTC))
"""How an endpoint is run of which nobody decided anything."""


@dataclass(frozen=True)
class Transition:
    """A row of the table.

    Attributes:
        source, target: from which stance to which.
        holds: its condition.
        reason: why, in words.
        tells: what else is told of, with its figures: ``harm``, ``candidate``, ``before``.
    """

    source: Stance
    target: Stance
    holds: Callable[[Case], bool]
    reason: str
    tells: tuple[str, ...] = ()


_TRUSTED, _WELL = "harm was found, so the model is not trusted", "it is well again"
_BEFORE_HELPS = "harm goes on, and the model before does better"
_NO_GOOD = "the candidate is gone or does worse than production"

TRANSITIONS: Final = (
    Transition(Stance.OBSERVING, Stance.CAUTIOUS, lambda case: case.harm, _TRUSTED, ("harm",)),
    Transition(Stance.CAUTIOUS, Stance.OBSERVING, lambda case: case.well, _WELL),
    Transition(
        Stance.CAUTIOUS, Stance.SHADOWING, lambda case: case.harm and not case.fails,
        "harm goes on, so the candidate is tried in the shadow", ("harm", "candidate"),
    ),
    Transition(
        Stance.CAUTIOUS, Stance.ROLLED_BACK, lambda case: case.harm and case.fails and case.before_helps,
        f"{_BEFORE_HELPS}; no candidate is left to try", ("harm", "before"),
    ),
    Transition(Stance.SHADOWING, Stance.CAUTIOUS, lambda case: case.fails, _NO_GOOD, ("candidate",)),
    Transition(Stance.SHADOWING, Stance.CAUTIOUS, lambda case: case.well, _WELL),
    Transition(
        Stance.SHADOWING, Stance.CANARY,
        lambda case: case.harm and case.shadowed and case.candidate == "better",
        "harm goes on, and the candidate does better in the shadow", ("harm", "candidate"),
    ),
    Transition(
        Stance.SHADOWING, Stance.ROLLED_BACK,
        lambda case: case.harm and case.shadowed and case.candidate != "better" and case.before_helps,
        f"{_BEFORE_HELPS}; the candidate does not", ("harm", "candidate", "before"),
    ),
    Transition(Stance.CANARY, Stance.CAUTIOUS, lambda case: case.fails, _NO_GOOD, ("candidate",)),
    Transition(Stance.CANARY, Stance.CAUTIOUS, lambda case: case.well, _WELL),
    Transition(
        Stance.CANARY, Stance.ROLLED_BACK,
        lambda case: case.harm and case.answered and case.candidate != "better" and case.before_helps,
        f"{_BEFORE_HELPS}; the candidate does not", ("harm", "candidate", "before"),
    ),
    Transition(
        Stance.ROLLED_BACK, Stance.OBSERVING, lambda case: not case.returned and not case.standing.dry_run,
        "production was changed since, so what was gone back to no longer counts",
    ),
    Transition(
        Stance.ROLLED_BACK, Stance.CAUTIOUS, lambda case: case.returned and case.harm,
        "harm goes on: to go back did not help", ("harm",),
    ),
    Transition(Stance.ROLLED_BACK, Stance.OBSERVING, lambda case: case.returned and case.well, _WELL),
)  # fmt: skip


def decide(
    standing: Standing | None, looks: Sequence[Look], rules: Rules, known: Known, now: datetime
) -> Standing | None:
    """Decide how the endpoint is to be run from now on.

    Args:
        standing: how it is run; None where nobody decided anything yet.
        looks: the newest ones, the newest last: at least ``looks_to_return`` of those that count, where there are so
            many.
        rules: from when on to act.
        known: what there is to choose from.
        now: with time zone.

    Returns:
        What is to be wanted from now on; None where it stays as it is.
    """
    standing = standing or START
    case = Case.of(standing, looks, rules, known)
    if standing.held or len(case.looks) < rules.looks_to_act:
        return None
    found = next((one for one in TRANSITIONS if one.source is standing.stance and one.holds(case)), None)
    return None if found is None else _enter(found, case, now)


def proposal(standing: Standing | None, looks: Sequence[Look], rules: Rules, known: Known) -> Finding | None:
    """Say so when a canary did what it had to: its promotion is a person's to decide, and the gates'.

    Args are those of :func:`decide`.
    """
    if standing is None or standing.stance is not Stance.CANARY:
        return None
    case = Case.of(standing, looks, rules, known)
    if case.candidate != "better" or not case.answered:
        return None
    text = (
        f"the candidate answered some {plural(case.tried, 'picture')} and does better than production "
        f"({known.candidate}): put it in production with `scones promote {standing.candidate}`"
    )
    return Finding("info", "candidate", text)


def _enter(transition: Transition, case: Case, now: datetime) -> Standing:
    target, known, rules, before = transition.target, case.known, case.rules, case.standing
    on_trial = target in (Stance.SHADOWING, Stance.CANARY)
    trusted, goes_back = target is Stance.OBSERVING, target is Stance.ROLLED_BACK
    return Standing(
        stance=target,
        version=known.before.version if goes_back and known.before else None,
        after=known.record if goes_back else 0,
        threshold=None if trusted else max(rules.cautious_threshold, before.threshold or 0),
        candidate=known.candidate.version if on_trial and known.candidate else None,
        weight=rules.canary_weight if target is Stance.CANARY else 0,
        who=MONITOR,
        why=_why(transition, case),
        at=now,
    )


def _why(transition: Transition, case: Case) -> str:
    looks = plural(case.rules.looks_to_act, "look")
    told = {
        "harm": f"in {looks} in a row; {harm(case.looks[-1], case.rules)}",
        "candidate": str(case.known.candidate or "there is no candidate"),
        "before": str(case.known.before),
    }
    return ": ".join(filter(None, (transition.reason, "; ".join(told[name] for name in transition.tells))))
