"""Write the pictures of doc/report.md: ``python -m test.report``. Needs Chromium."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from PIL import Image

from onnx_tf import convert
from test.report.browser import Browser, browser
from test.zoo.compare import MODELS
from test.zoo.materialize import materialize

IMAGES = Path(__file__).parents[2] / "doc" / "images"
PHONE = (390, 760)
GAP = 24


def main() -> None:
    """Convert a network, and write what its report looks like on screens of two sizes."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, browser() as page:
        folder = Path(name)
        onnx.save(materialize(MODELS / "resnet18.onnx"), folder / "resnet18.onnx")
        report = folder / "report.html"
        formats = ["saved_model", "tflite", "keras"]
        convert(folder / "resnet18.onnx", folder / "out", formats=formats, check=True, report=report)
        text = report.read_text(encoding="utf-8").replace(f"{folder}/", "")
        report.write_text(text, encoding="utf-8")
        page.open(report, width=1080, height=1540)
        _save(_seen(page, folder), "report.png")
        parts = []
        for anchor, dark in (("", True), ("values", True), ("layout", False)):
            page.open(report, width=PHONE[0], height=PHONE[1], dark=dark)
            if anchor:
                page.evaluate(f"document.getElementById({anchor!r}).scrollIntoView()")
            parts.append(_seen(page, folder).resize(PHONE, Image.Resampling.LANCZOS))
        _save(_beside(parts), "report_phone.png")


def _seen(page: Browser, folder: Path) -> Image.Image:
    page.screenshot(folder / "seen.png")
    with Image.open(folder / "seen.png") as image:
        return image.convert("RGB")


def _beside(parts: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (len(parts) * (PHONE[0] + GAP) - GAP, PHONE[1]), "#8a939d")
    for index, part in enumerate(parts):
        whole.paste(part, (index * (PHONE[0] + GAP), 0))
    return whole


def _save(image: Image.Image, name: str) -> None:
    image.quantize(128, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
