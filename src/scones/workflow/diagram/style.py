"""The style of the picture: one hand with the pages, light and dark, and nothing that only some viewers can read.

Colours are written out and not kept in variables, which viewers other than browsers do not know. All class
names begin with ``sm-``, so that the picture can stand within a page.
"""

from __future__ import annotations

import re
from typing import Final

from scones.page.charts import ALERT, BLUE, DARK, GREEN, INK, ORANGE, QUIET

__all__ = ["style_sheet"]

_FONT: Final = "Inter,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"
"""Fonts about as wide as Helvetica, by which the boxes are measured; ``system-ui`` may be any."""
_COLOURS: Final = {
    "ink": (INK, DARK[INK]),
    "quiet": (QUIET, DARK[QUIET]),
    "blue": (BLUE, DARK[BLUE]),
    "orange": (ORANGE, DARK[ORANGE]),
    "amber": ("#9a6700", DARK[ORANGE]),  # orange that can be read as text
    "alert": (ALERT, DARK[ALERT]),
    "red": ("#bf2d1d", "#ff7a66"),  # further from amber than the pages' alert
    "green": (GREEN, DARK[GREEN]),
    "violet": ("#7a4fb5", "#b79af0"),
    "teal": ("#2f7f8f", "#6cc3d5"),
    "ground": ("#ffffff", "#18212a"),
    "fill": ("#f4f6f8", "#10171e"),
    "line": ("#8a97a5", "#6d7b89"),
    "pale": ("#d5dce3", "#33404d"),
    "on": ("#ffffff", "#18212a"),
}

_RULES: Final = f"""
.sm text{{font-family:{_FONT};fill:$ink}}
.sm-ground{{fill:$ground}}
.sm-heading{{font-size:19px;font-weight:700}}
.sm .sm-quiet{{font-size:12px;fill:$quiet}}
.sm .sm-status{{font-size:12px;font-weight:600;fill:currentColor}}
.sm-name{{font-size:13px;font-weight:600}}
.sm .sm-detail{{font-size:11px;fill:$quiet}}
.sm .sm-time{{font-size:11px;font-weight:600;fill:currentColor}}
.sm-outline{{fill:$ground;stroke:currentColor;stroke-width:1.5}}
.sm-icon{{fill:currentColor}}
.sm-glyph{{fill:none;stroke:$on;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}}
.sm-again{{fill:none;stroke:$quiet;stroke-width:1.4;stroke-linecap:round;stroke-linejoin:round}}
.sm-box .sm-outline{{fill:$fill}}
.sm-region{{fill:$ground;stroke:$pale;stroke-width:1}}
.sm-task{{color:$blue}}
.sm-choice{{color:$amber}}
.sm-wait{{color:$violet}}
.sm-succeed{{color:$green}}
.sm-fail,.sm-other{{color:$red}}
.sm-pass{{color:$quiet}}
.sm-parallel,.sm-map{{color:$teal}}
.sm-other>.sm-outline{{stroke-dasharray:5 4}}
.sm-edge{{color:$line}}
.sm-catch{{color:$alert}}
.sm-line{{fill:none;stroke:currentColor;stroke-width:1.5}}
.sm-catch .sm-line,.sm-catch .sm-chip{{stroke-dasharray:5 4}}
.sm-hit{{fill:none;stroke:#000;stroke-opacity:0;stroke-width:12;pointer-events:stroke}}
.sm-head{{fill:currentColor}}
.sm-chip{{fill:$ground;stroke:currentColor;stroke-width:1}}
.sm-label{{font-size:11px}}
.sm-default .sm-label{{font-style:italic}}
.sm .sm-catch .sm-label{{fill:$alert}}
.sm-mark{{fill:$ink}}
.sm-ring{{fill:$ground;stroke:$ink;stroke-width:1.5}}
.sm-timed .sm-box{{color:$pale}}
.sm-timed .sm-glyph{{stroke:$ground}}
.sm-timed .sm-box .sm-name{{fill:$quiet}}
.sm-timed .sm-edge{{color:$pale}}
.sm-timed .sm-edge .sm-label{{fill:$quiet}}
.sm-timed .sm-mark{{fill:$pale}}
.sm-timed .sm-ring{{stroke:$pale}}
.sm-timed .sm-again{{stroke:$pale}}
.sm-timed .sm-visited>.sm-again{{stroke:$quiet}}
.sm-timed .sm-visited>.sm-name{{fill:$ink}}
.sm-timed .sm-visited>.sm-outline{{fill:currentColor;fill-opacity:.09;stroke-width:2}}
.sm-timed .sm-succeeded{{color:$green}}
.sm-timed .sm-caught{{color:$amber}}
.sm-timed .sm-failed{{color:$red}}
.sm-timed .sm-running{{color:$blue}}
.sm-timed .sm-stopped{{color:$violet}}
.sm-badge{{fill:currentColor;stroke:$ground;stroke-width:2}}
.sm-badge-glyph{{fill:none;stroke:$on;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}}
.sm-timed .sm-taken{{color:$green}}
.sm-timed .sm-taken .sm-line{{stroke-width:3}}
.sm-timed .sm-taken .sm-label{{fill:$ink}}
.sm-timed .sm-taken .sm-chip{{stroke-width:1.5}}
.sm-timed .sm-taken .sm-mark{{fill:$green}}
.sm-timed .sm-taken .sm-ring{{stroke:$green}}
.sm-timed .sm-taken.sm-catch{{color:$amber}}
"""


def style_sheet() -> str:
    """The CSS of a picture."""
    rules = [rule for rule in _RULES.split("\n") if rule]
    coloured = [_only_colours(rule) for rule in rules if "$" in rule]
    dark = "".join(_coloured(rule, 1) for rule in coloured)
    return "".join(_coloured(rule, 0) for rule in rules) + f"@media(prefers-color-scheme:dark){{{dark}}}"


def _only_colours(rule: str) -> str:
    selector, body = rule.rstrip("}").split("{", 1)
    return selector + "{" + ";".join(part for part in body.split(";") if "$" in part) + "}"


def _coloured(rule: str, scheme: int) -> str:
    return re.sub(r"\$(\w+)", lambda match: _COLOURS[match[1]][scheme], rule)
