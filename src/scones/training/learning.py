"""How fine-tuning went, epoch by epoch, as a page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scones.page import Chart, Column, Key, Section, Table, Tile, charts, render_page
from scones.page.numbers import NONE, percent, plural
from scones.store import Layout

if TYPE_CHECKING:
    from scones.bundle import BundleInfo
    from scones.store import Bucket

__all__ = ["curve_page", "save_curve"]

Row = Mapping[str, Any]


def save_curve(bucket: Bucket, info: BundleInfo, rows: Sequence[Row]) -> str:
    """Write ``curve.jsonl`` and ``curve.html`` beside the model.

    Args:
        bucket: where the model lies.
        info: the model.
        rows: as :class:`scones.training.finetuning.FineTuned` has them.

    Returns:
        The key of the page.
    """
    home = Layout.model(info.task, info.version)
    bucket.put(f"{home}/curve.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    bucket.put(f"{home}/curve.html", curve_page(info, rows).encode())
    return f"{home}/curve.html"


def curve_page(info: BundleInfo, rows: Sequence[Row]) -> str:
    """Draw a learning curve: one HTML file that opens offline."""
    best = min(rows, key=lambda row: row["validation_loss"])
    first, last = rows[0], rows[-1]
    before = f"before any training {percent(first['validation_accuracy'])}"
    tiles = [
        Tile("Best epoch", str(best["epoch"]), f"of {last['epoch']}; the model has its weights"),
        Tile("Validation accuracy", percent(best["validation_accuracy"]), before),
        Tile(
            "Validation loss", f"{best['validation_loss']:.4f}", f"before any training {first['validation_loss']:.4f}"
        ),
        Tile("Time", f"{last['seconds']:.0f} s", plural(last["epoch"], "epoch")),
    ]
    facts = [("Model", info.version), ("Task", info.task), ("Dataset", info.dataset), ("Backbone", info.backbone)]
    return render_page(
        f"{info.task}: fine-tuning",
        [Section("Epoch by epoch", [_losses(rows, best), _accuracies(rows, best), _table(rows)])],
        kind="Learning curve",
        lead="Validation pictures are training pictures that were held back: they say when to stop, and nothing else.",
        facts=facts,
        tiles=tiles,
    )


def _losses(rows: Sequence[Row], best: Row) -> Chart:
    plot = charts.blank(x_label="epoch", y_label="loss (cross-entropy, nats)", y_range=_from_zero(rows))
    learned = [row for row in rows if row["loss"] is not None]
    _line(plot, learned, "loss", charts.ORANGE)
    _line(plot, rows, "validation_loss", charts.BLUE)
    plot.scatter([best["epoch"]], [best["validation_loss"]], size=12, color=charts.BLUE, line_color=charts.INK)
    charts.count_axis(plot.xaxis)
    return Chart(
        "Loss",
        plot,
        caption="Where the training loss still falls and the other rises, the network learns its pictures by heart.",
        keys=[Key("training pictures, as they are augmented", "orange", "line"), Key("validation", "blue", "line")],
        summary=f"The validation loss is lowest, {best['validation_loss']:.4f}, after epoch {best['epoch']}.",
    )


def _accuracies(rows: Sequence[Row], best: Row) -> Chart:
    plot = charts.blank(x_label="epoch", y_label="validation pictures answered correctly")
    _line(plot, rows, "validation_accuracy", charts.BLUE)
    plot.scatter([best["epoch"]], [best["validation_accuracy"]], size=12, color=charts.BLUE, line_color=charts.INK)
    charts.count_axis(plot.xaxis)
    charts.percent_axis(plot.yaxis, digits=1)
    return Chart(
        "Accuracy",
        plot,
        caption="The dot is the epoch whose weights the model has.",
        summary=f"After epoch {best['epoch']} {percent(best['validation_accuracy'])} are correct.",
    )


def _line(plot: charts.Plot, rows: Sequence[Row], name: str, colour: str) -> None:
    from bokeh.models import ColumnDataSource

    source = ColumnDataSource({key: [row[key] for row in rows] for key in ("epoch", name)})
    line = plot.line("epoch", name, source=source, line_color=colour, line_width=2.5)
    charts.hover(plot, [line], [("epoch", "@epoch"), (name.replace("_", " "), f"@{name}{{0.0000}}")])


def _from_zero(rows: Sequence[Row]) -> Any:
    return charts.span(0, 1.1 * max(row[name] for row in rows for name in ("loss", "validation_loss") if row[name]))


def _table(rows: Sequence[Row]) -> Table:
    titles = ("Epoch", "Training loss", "Validation loss", "Validation accuracy", "Seconds")
    written = [
        [
            str(row["epoch"]),
            NONE if row["loss"] is None else f"{row['loss']:.4f}",
            f"{row['validation_loss']:.4f}",
            percent(row["validation_accuracy"]),
            f"{row['seconds']:.0f}",
        ]
        for row in rows
    ]
    return Table("Figures", [Column(title, numeric=True) for title in titles], written, wide=True)
