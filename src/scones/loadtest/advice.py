"""What a measured curve means for the one who runs the endpoint, in sentences."""

from __future__ import annotations

from scones.loadtest.knee import SAFETY, Curve, Sizing, size_for
from scones.loadtest.step import Step
from scones.page.numbers import percent, plural

__all__ = ["advise", "load_name", "milliseconds", "per_second"]


def per_second(rate: float) -> str:
    """A rate in three figures or whole numbers.

    Example:
        >>> per_second(3.14159), per_second(4620.4)
        ('3.14/s', '4,620/s')
    """
    return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.3g}/s"


def milliseconds(value: float) -> str:
    """A time in three figures or whole numbers.

    Example:
        >>> milliseconds(0.5123), milliseconds(1234.5)
        ('0.512 ms', '1,234 ms')
    """
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def load_name(step: Step) -> str:
    """What a step was: so many callers, or a rate."""
    return plural(step.connections, "caller") if step.rate is None else per_second(step.rate)


def advise(curve: Curve, expected: float | None = None) -> tuple[list[str], Sizing | None]:
    """Say what the knee is, what autoscaling is to aim at, and how many instances a rate needs.

    Args:
        curve: as it was measured.
        expected: requests a second at the busiest.

    Returns:
        Sentences, and the figures in them; None where there is no knee.
    """
    said, sizing = ([_no_knee(curve)], None) if curve.knee is None else _sized(curve, curve.knee, expected)
    strained = [load_name(step) for step in (*curve.steps, *curve.open_steps) if step.strained]
    if strained:
        at = f"at {', '.join(strained)} the load generator itself was held up"
        said.append(f"{at}, so the endpoint may do better: give it --processes 2, or a quiet machine")
    return said, sizing


def _no_knee(curve: Curve) -> str:
    within = f"no load had all its answers with a p99 within {milliseconds(curve.limit_ms)}"
    return f"{within}, so there is no knee: measure on a quiet machine, or say with --p99-ms what callers bear"


def _sized(curve: Curve, knee: Step, expected: float | None) -> tuple[list[str], Sizing]:
    assert knee.latency is not None
    sizing = size_for(knee, expected)
    where = f"the knee is {per_second(knee.throughput)} with {plural(knee.connections, 'caller')}"
    limit, found = milliseconds(curve.limit_ms), milliseconds(knee.latency.p99)
    aim = f"autoscaling: InvocationsPerInstance {sizing.target:,}"
    share = f"{percent(SAFETY, 0)} of the knee ({per_second(sizing.per_instance)})"
    said = [
        f"{where}: the most within a p99 of {limit} (it was {found})",
        f"{aim}, which is {share} for a minute; the rest is for bursts, and until another instance is there",
    ]
    if sizing.instances is not None and expected is not None:
        many = f"{plural(sizing.instances, 'instance')} like this one; {sizing.instances + 1} where one may fail"
        said.append(f"{per_second(expected)} at the busiest takes {many}")
    if knee is curve.steps[-1]:
        said.append("the knee is the largest load measured, so it may lie higher: measure with more --connections")
    return said, sizing
