import base64
import io
from collections.abc import Callable

import PIL.Image

from scones.page import Gallery, Picture, Section, render_page
from scones.page.thumbnails import MAX_BYTES, MAX_SIDE, thumbnail


def test_a_small_picture_stays_pixel_for_pixel_and_is_shown_enlarged(png_bytes: Callable[..., bytes]) -> None:
    found = thumbnail(png_bytes((10, 200, 30)))
    assert found.pixelated
    image = PIL.Image.open(io.BytesIO(base64.b64decode(found.address.removeprefix("data:image/png;base64,"))))
    assert image.size == (32, 32)
    assert image.getpixel((0, 0)) == (10, 200, 30)
    page = render_page("G", [Section("S", [Gallery("g", [Picture(png_bytes(), "t")])])])
    assert 'class="pixelated"' in page


def test_a_photograph_is_made_small_and_smooth() -> None:
    buffer = io.BytesIO()
    PIL.Image.effect_noise((1600, 1200), 60).convert("RGB").save(buffer, "JPEG")
    found = thumbnail(buffer.getvalue())
    data = base64.b64decode(found.address.split(",", 1)[1])
    assert not found.pixelated
    assert len(data) <= MAX_BYTES
    assert max(PIL.Image.open(io.BytesIO(data)).size) <= MAX_SIDE


def test_what_cannot_be_shown_says_why_and_never_gets_into_the_page() -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    assert thumbnail(svg).address == ""
    assert "no picture that can be read" in thumbnail(svg).problem
    assert thumbnail(None).problem == "its picture was not kept"
    assert "0 bytes" in thumbnail(b"").problem
