"""The page on which people judge the pictures of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from scones.page import Note, Picture, Questions, Section, render_page
from scones.page.numbers import plural

if TYPE_CHECKING:
    from scones.monitoring.watch.audit import Audit

__all__ = ["audit_page"]


def audit_page(name: str, audit: Audit, pictures: Mapping[str, bytes]) -> str:
    """Draw the pictures of an audit, without what the model said, so that nobody is led.

    Args:
        name: of the audit.
        audit: the draw.
        pictures: by event id, the bytes as they were captured; one that is gone has none.

    Returns:
        The HTML text, which opens offline.
    """
    asked = [
        Picture(pictures.get(event := audit.events[place]), title=f"{number}", name=event)
        for number, place in enumerate(audit.drawn, start=1)
    ]
    file = f"answers-{name}.csv"
    return render_page(
        "What do these pictures show?",
        [
            Section(
                "Your answers",
                [
                    Questions(
                        f"{plural(len(asked), 'picture')} of the latest {len(audit.events):,}",
                        asked,
                        audit.labels,
                        file,
                        "Choose what each shows. Where you cannot tell, leave it: a guess would count as much as what "
                        "you know.",
                    ),
                    Note("When you are done:", [f"scones monitor answer --audit {name} --file {file}"]),
                ],
            )
        ],
        kind="Audit",
        lead="They were drawn so that your answers tell how often the model is right on all of them. What it said is "
        "not shown, so as not to lead you.",
        facts=[("Audit", name), ("Drawn", f"{audit.at:%Y-%m-%d %H:%M} UTC"), ("Labels", ", ".join(audit.labels))],
    )
