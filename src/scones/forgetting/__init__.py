"""Forgetting a person: all that is known of a driver or of one arrival is found, and removed for good."""

from scones.forgetting.eraser import Eraser, open_eraser
from scones.forgetting.found import Found
from scones.forgetting.person import Person
from scones.forgetting.removal import remove
from scones.forgetting.search import search

__all__ = ["Eraser", "Found", "Person", "open_eraser", "remove", "search"]
