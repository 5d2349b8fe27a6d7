import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", ["scones.page.charts", "scones.monitoring.report", "scones.cli.monitor"])
def test_importing_a_room_loads_neither_bokeh_nor_jinja(room: str) -> None:
    code = f"import sys, {room}; print(sorted({{'bokeh', 'jinja2', 'numpy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
