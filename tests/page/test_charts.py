import json

import pytest
from bokeh.embed import json_item

from scones.page import charts


def drawn(plot: charts.Plot) -> str:
    return json.dumps(json_item(plot), allow_nan=False)


def test_quiet_curves_lie_below_the_coloured_ones() -> None:
    points = [[0.0, 0.0], [1.0, 1.0]]
    ordered = [charts.Curve("coloured", points, charts.BLUE), charts.Curve("quiet", points, charts.QUIET)]
    plot = charts.curves(ordered, x_label="x", y_label="y", diagonal=True)
    assert plot.renderers[-1].data_source.data["name"] == ["quiet", "coloured"]
    assert drawn(plot)


@pytest.mark.parametrize("rows", [{}, {"none": []}, {"one": [charts.Dot(0.5, "a", "t")]}])
def test_rows_of_dots_may_be_empty(rows: dict[str, list[charts.Dot]]) -> None:
    assert drawn(charts.dot_rows(rows, x_label="share", color=charts.BLUE, mark=0.5, mark_color=charts.QUIET))


def test_a_dot_is_as_full_as_it_says_and_the_mark_is_within_the_axis() -> None:
    dots = [charts.Dot(value, f"{value}", "t", 1 - value) for value in (0.9, 0.7, 0.4)]
    plot = charts.dot_rows({"noise": dots}, x_label="share", color=charts.BLUE, mark=0.97, mark_color=charts.QUIET)
    assert plot.renderers[-1].data_source.data["alpha"] == [1 - 0.9, 1 - 0.7, 1 - 0.4]
    assert plot.x_range.start < 0.4
    assert plot.x_range.end > 0.97
