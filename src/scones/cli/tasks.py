"""``scones tasks``."""

from __future__ import annotations

from scones.cli._common import JsonOption, print_json, results


def tasks(as_json: JsonOption = False) -> None:
    """List the tasks that come with Scones: which question each asks, and its labels."""
    from rich.table import Table

    from scones.task import load_task, task_names

    found = [load_task(name) for name in task_names()]
    if as_json:
        print_json([task.model_dump() for task in found])
        return
    table = Table("task", "question", "labels", "target risk")
    for task in found:
        table.add_row(task.name, task.title, ", ".join(task.labels), f"{task.policy.target_risk:.0%}")
    results().print(table)
