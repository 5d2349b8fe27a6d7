"""What a thousand pictures cost, drawn: a bar a design, a colour a kind of term."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from scones.aws.cost import Estimate
from scones.page.charts import ALERT, BLUE, GREEN, INK, ORANGE, QUIET

_KINDS = {"endpoint": ALERT, "workflow": BLUE, "S3": GREEN, "watching": ORANGE}
_WORDS = {
    "endpoint": "endpoint or machine",
    "workflow": "functions and workflow",
    "S3": "pictures and records",
    "watching": "alarms, logs, traces",
}
_OF = {"endpoint": "endpoint", "functions": "workflow", "workflow": "workflow", "reviews": "workflow", "S3": "S3"}
_LEFT, _WIDTH, _ROW, _TOP = 20, 760, 58, 60


def draw(titles: Mapping[str, str], found: Mapping[str, Estimate]) -> str:
    """An SVG of dollars for 1,000 pictures.

    Args:
        titles: of the designs, by their names.
        found: what they cost.
    """
    most = max(one.per_1000 for one in found.values())
    scale = (_WIDTH - 110) / most
    parts = []
    for number, (kind, colour) in enumerate(_KINDS.items()):
        left = _LEFT + number * 190
        parts.append(f'<rect x="{left}" y="18" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18}" y="28" fill="{QUIET}">{_WORDS[kind]}</text>')
    for row, (name, title) in enumerate(titles.items()):
        y, x = _TOP + row * _ROW, float(_LEFT)
        parts.append(f'<text x="{_LEFT}" y="{y + 12}" fill="{INK}">{escape(title.replace("`", ""))}</text>')
        for kind, dollars in _by_kind(found[name]).items():
            width = dollars * scale
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 20}" width="{width:.1f}" height="18" fill="{_KINDS[kind]}">'
                f"<title>{_WORDS[kind]}: {dollars:.4f} USD</title></rect>"
            )
            x += width
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 34}" fill="{INK}">${found[name].per_1000:.3f}</text>')
    height = _TOP + len(titles) * _ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 40} {height}" role="img" '
        f'aria-label="Dollars for 1,000 pictures, by design" font-family="system-ui, sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _by_kind(one: Estimate) -> dict[str, float]:
    found = dict.fromkeys(_KINDS, 0.0)
    for term in (*one.fixed, *one.traffic):
        found[_OF.get(term.what.partition(":")[0], "watching")] += term.dollars / one.thousands
    return found
