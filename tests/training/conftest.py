"""A staged dataset whose labels are colours, for models that go by colour (``tiny_bundle``)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from scones.picture import encode_png
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import open_bucket
from scones.task import load_task


@pytest.fixture
def coloured(tmp_path: Path) -> Callable[..., Dataset]:
    """Stage so many test pictures: ``coloured(200, odd=10)``.

    Bicycles are red and motorcycles blue, each with noise of its own; every tenth, and so on, of the ``odd`` has the
    other colour.
    """

    def picture(number: int, odd: int) -> bytes:
        values = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        blue = (number % 2 == 1) != (odd > 0 and number % odd == 0)
        values[..., 2 * blue] |= 128
        return encode_png(PIL.Image.fromarray(values))

    def make(n: int, *, odd: int = 0) -> Dataset:
        task = load_task("vehicles")
        pictures = [
            SourcePicture(f"{number}", task.labels[number % 2], picture(number, odd), "test" if number < n else "train")
            for number in range(n + 40)
        ]
        return write_dataset(open_bucket(str(tmp_path), "scones"), task, pictures, source={"kind": "test"})

    return make
