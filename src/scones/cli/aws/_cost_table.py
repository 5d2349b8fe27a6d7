"""An estimate of costs as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from scones.aws.cost import Estimate, Term

__all__ = ["cost_tables"]

_UNSURE = " ?"
"""After a price that no source confirms."""


def cost_tables(estimate: Estimate) -> list[Table]:
    """Two tables: what is fixed a month, and what 1,000 pictures add; below the second the sum, and what to know.

    Args:
        estimate: from :func:`scones.aws.cost.estimate`.
    """
    sums = f"${estimate.a_month:,.2f} a month, ${estimate.per_1000:,.4f} for 1,000 pictures"
    told = [f"{estimate.pictures_per_day:,.0f} pictures a day: {sums}."]
    told.append(f"Prices: {estimate.origin}. " + " ".join(f"{note[0].upper()}{note[1:]}." for note in estimate.notes))
    if estimate.gives_up:
        told.append(f"Given up: {'; '.join(estimate.gives_up)}.")
    fixed = _table("Fixed, a month", estimate.fixed, 1, estimate.fixed_a_month, digits=2)
    traffic = _table("1,000 pictures add", estimate.traffic, estimate.thousands, estimate.traffic_per_1000, digits=5)
    traffic.caption = "\n".join(told)
    traffic.caption_justify = "left"
    return [fixed, traffic]


def _table(title: str, terms: Sequence[Term], share: float, total: float, *, digits: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("what", Text("sum"))
    table.add_column("quantity", justify="right")
    table.add_column("unit")
    table.add_column("$ a unit", justify="right")
    table.add_column("$", Text(f"{total:,.{digits}f}"), justify="right")
    for term in terms:
        table.add_row(
            Text(term.what),
            _number(term.units / share, 6 if term.units / share < 1 else 2),
            Text(term.price.unit),
            _number(term.price.usd, 8) + ("" if term.price.confirmed else _UNSURE),
            f"{term.dollars / share:,.{digits}f}",
        )
    return table


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")
