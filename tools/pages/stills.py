"""Photographs the live elements: what stands in their place in Colab, in the PDF, without a script.

python -m tools.pages.stills FOLDER     one small PNG for each, from tests/live/scratch.html
"""

import io
import sys
from pathlib import Path

from PIL import Image

from tools.pages import chromium

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / "tests" / "live" / "scratch.html"
WIDTH = 760


def main():
    photograph(Path(sys.argv[1]))


def photograph(folder):
    with chromium.launched() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.emulate_media(reduced_motion="reduce")
        page.goto(SCRATCH.as_uri())
        page.wait_for_timeout(500)
        page.locator(".reader button[aria-label='Take a 3']").first.click()
        slider = page.locator(".reader input[type=range]").first
        slider.evaluate("s => { s.value = 14; s.dispatchEvent(new Event('input')) }")
        for name in ("reader", "one-step", "eigenvalues", "reach", "letters"):
            save(page.locator(f"[data-live='{name}']").first, folder / f"live-{name}.png")
        for place, name in enumerate(("tape", "tape-gru")):
            save(page.locator("[data-live='tape']").nth(place), folder / f"live-{name}.png")


def save(element, path):
    element.scroll_into_view_if_needed()
    element.page.wait_for_timeout(200)
    picture = Image.open(io.BytesIO(element.screenshot())).convert("RGB")
    picture.quantize(32, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
