"""Models in the store: which there are, which one is in production, and how another one gets there.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "CANDIDATE": "scones.registry.aliases",
    "Decider": "scones.registry.deciding",
    "Gate": "scones.registry.gates",
    "PRODUCTION": "scones.registry.aliases",
    "consider": "scones.registry.promotion",
    "current_policy": "scones.registry.aliases",
    "find_rollback": "scones.registry.rollback",
    "history": "scones.registry.aliases",
    "list_models": "scones.registry.models",
    "load_decider": "scones.registry.deciding",
    "load_model": "scones.registry.models",
    "promote": "scones.registry.promotion",
    "register": "scones.registry.models",
    "resolve": "scones.registry.aliases",
    "roll_back": "scones.registry.rollback",
    "save_model": "scones.registry.models",
}

__all__ = [
    "CANDIDATE",
    "PRODUCTION",
    "Decider",
    "Gate",
    "consider",
    "current_policy",
    "find_rollback",
    "history",
    "list_models",
    "load_decider",
    "load_model",
    "promote",
    "register",
    "resolve",
    "roll_back",
    "save_model",
]

if TYPE_CHECKING:
    from scones.registry.aliases import CANDIDATE, PRODUCTION, current_policy, history, resolve
    from scones.registry.deciding import Decider, load_decider
    from scones.registry.gates import Gate
    from scones.registry.models import list_models, load_model, register, save_model
    from scones.registry.promotion import consider, promote
    from scones.registry.rollback import find_rollback, roll_back


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
