"""Events in: a watched folder or prefix, and `POST /arrivals`. Each arrival is worked once, however it comes.

The names are loaded on first use; only what serves HTTP loads a web framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Admission": "scones.workflow.intake.admission",
    "DeadLetter": "scones.workflow.intake.dead_letters",
    "DeadLetters": "scones.workflow.intake.dead_letters",
    "Desk": "scones.workflow.intake.desk",
    "Intake": "scones.workflow.intake.working",
    "POISON": "scones.workflow.intake.dead_letters",
    "Questions": "scones.workflow.intake.questions",
    "Watcher": "scones.workflow.intake.watcher",
    "build_intake_app": "scones.workflow.intake.http",
    "listen": "scones.workflow.intake.address",
    "read_letters": "scones.workflow.intake.dead_letters",
    "want_again": "scones.workflow.intake.dead_letters",
    "work": "scones.workflow.intake.session",
}

__all__ = [
    "POISON",
    "Admission",
    "DeadLetter",
    "DeadLetters",
    "Desk",
    "Intake",
    "Questions",
    "Watcher",
    "build_intake_app",
    "listen",
    "read_letters",
    "want_again",
    "work",
]

if TYPE_CHECKING:
    from scones.workflow.intake.address import listen
    from scones.workflow.intake.admission import Admission
    from scones.workflow.intake.dead_letters import POISON, DeadLetter, DeadLetters, read_letters, want_again
    from scones.workflow.intake.desk import Desk
    from scones.workflow.intake.http import build_intake_app
    from scones.workflow.intake.questions import Questions
    from scones.workflow.intake.session import work
    from scones.workflow.intake.watcher import Watcher
    from scones.workflow.intake.working import Intake


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
