"""Draw losses as an SVG picture, for the examples beside this file: ``python example/loss_curve.py LOSS...``."""

import sys
from pathlib import Path


def draw(losses, path, width=480, height=240, margin=40):
    """Write a picture of one loss for each step."""
    top, steps = max(losses), max(1, len(losses) - 1)
    points = " ".join(
        f"{margin + (width - 2 * margin) * step / steps:.1f},{height - margin - (height - 2 * margin) * loss / top:.1f}"
        for step, loss in enumerate(losses)
    )
    axes = f"{margin},{margin} {margin},{height - margin} {width - margin},{height - margin}"
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<polyline points="{axes}" fill="none" stroke="black"/>'
        f'<polyline points="{points}" fill="none" stroke="#0072b2" stroke-width="2"/>'
        f'<text x="{margin}" y="{margin - 10}">loss, {top:.3g} at most</text>'
        f'<text x="{width - margin}" y="{height - margin + 20}" text-anchor="end">{steps + 1} epochs</text></svg>\n'
    )


if __name__ == "__main__":
    given = [float(loss) for loss in sys.argv[1:]] or [3.0, 2.0, 1.5, 1.25]
    draw(given, "loss.svg")
    print(f"{len(given)} losses drawn in loss.svg")
