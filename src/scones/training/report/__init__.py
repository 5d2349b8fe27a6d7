"""Reports for people: what a model is worth, and which of two is better; a self-contained HTML page each."""

from scones.training.report.comparison import comparison_page
from scones.training.report.evaluation import evaluation_page

__all__ = ["comparison_page", "evaluation_page"]
