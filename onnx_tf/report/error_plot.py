"""Draw the error of every value over the depth of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx_tf.check.values import CheckedValue

__all__ = ["PLOT", "error_plot"]

WIDTH, HEIGHT = 760.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 78.0, 14.0, 28.0, 52.0
ZERO = 24.0
"""How far below the least error zero lies."""
LEAST = 1e-9
"""The least error that has a place of its own; those that are less lie on the line of zero."""
MAX_POINTS = 1200
"""How many points are drawn; of more values the worst of each stretch are."""

PLOT = """
.plot { display: block; width: 100%; height: auto; max-width: 900px; }
.plot text { font: 12px system-ui, sans-serif; fill: var(--muted); }
.plot .y { text-anchor: end; } .plot .x { text-anchor: middle; } .plot .end { text-anchor: end; }
.plot .grid { stroke: var(--line); stroke-width: 1; } .plot .limit { fill: none; stroke: var(--warn);
  stroke-width: 1.5; stroke-dasharray: 6 4; } .plot .limit-name { fill: var(--warn); }
.plot .stem { stroke: var(--last); stroke-width: 1; opacity: .35; } .plot circle { fill: var(--last); r: 2.6px; }
.plot .differs { fill: var(--bad); stroke: var(--bg); stroke-width: 1; }
@media (max-width: 560px) { .plot text { font-size: 21px; } .plot .few { display: none; }
  .plot circle { r: 4px; } .plot .limit { stroke-width: 3; } }
"""


@dataclass(frozen=True)
class _Scale:
    """Where errors lie: logarithmic from ``least`` to ``most``, zero below."""

    least: float
    most: float

    def y(self, error: float) -> float:
        if error < self.least:
            return HEIGHT - BOTTOM
        share = math.log(min(error, self.most) / self.least) / math.log(self.most / self.least)
        return HEIGHT - BOTTOM - ZERO - share * (HEIGHT - BOTTOM - ZERO - TOP)

    def decades(self) -> Iterator[int]:
        exponents = range(round(math.log10(self.least)), round(math.log10(self.most)) + 1)
        return (e for e in exponents if e % (1 if len(exponents) < 8 else 2) == 0)


def error_plot(checked: Sequence[CheckedValue], measure: str) -> Iterator[str]:
    """Yield a picture of errors in the order of the graph, as SVG.

    Args:
        checked: the values, in that order.
        measure: what errors are counted in.
    """
    shown = _worst(checked)
    scale = _scale(shown)
    differing = sum(not value.fits for value in checked)
    said = f"{differing} of them differ" if differing else "none of them differs"
    about = (
        f"Errors of {len(checked)} values from input to output on a logarithmic scale, in {measure}; {said}. "
        "The tables below have the same numbers."
    )
    yield (
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-labelledby="plot-title" '
        'aria-describedby="plot-about">'
        f'<title id="plot-title">Error of each value by depth</title><desc id="plot-about">{escape(about)}</desc>'
    )
    yield from _axes(scale, len(checked), measure)
    places = _places(len(shown))
    yield _limit(shown, places, scale)
    base = HEIGHT - BOTTOM
    for (_, value), x in zip(shown, places, strict=True):
        y = scale.y(value.difference.error)
        label = f"<title>{escape(f'{value.op} {value.node}: {value.difference}')}</title>"
        yield f'<line class="stem" x1="{x:.1f}" y1="{base:.0f}" x2="{x:.1f}" y2="{y:.1f}"/>'
        if value.fits:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6">{label}</circle>'
        else:
            yield f'<path class="differs" d="M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z">{label}</path>'
    yield "</svg>"


def _worst(checked: Sequence[CheckedValue]) -> list[tuple[int, CheckedValue]]:
    width = math.ceil(len(checked) / MAX_POINTS) or 1
    pieces = (range(i, min(i + width, len(checked))) for i in range(0, len(checked), width))
    worst = (max(piece, key=lambda i: (not checked[i].fits, checked[i].difference.error)) for piece in pieces)
    return [(index, checked[index]) for index in worst]


def _scale(shown: Sequence[tuple[int, CheckedValue]]) -> _Scale:
    numbers = [number for _, v in shown for number in (v.difference.error, v.difference.tolerance)]
    known = [number for number in numbers if math.isfinite(number) and number >= LEAST]
    least = 10.0 ** math.floor(math.log10(min(known, default=1e-8)))
    most = 10.0 ** math.ceil(math.log10(max(known, default=1.0)))
    return _Scale(least, max(most, least * 100))


def _places(count: int) -> list[float]:
    span = WIDTH - LEFT - RIGHT - 16
    return [LEFT + 8 + span * (i / (count - 1) if count > 1 else 0.5) for i in range(count)]


def _axes(scale: _Scale, count: int, measure: str) -> Iterator[str]:
    right, base = WIDTH - RIGHT, HEIGHT - BOTTOM
    lines = [(10.0**exponent, f"1e{exponent}") for exponent in scale.decades()]
    for index, (error, text) in enumerate([(0.0, "0"), *lines]):
        y = scale.y(error)
        few = " few" if index and index % 2 == 0 else ""
        yield f'<line class="grid" x1="{LEFT:.0f}" y1="{y:.1f}" x2="{right:.0f}" y2="{y:.1f}"/>'
        yield f'<text class="y{few}" x="{LEFT - 8:.0f}" y="{y + 4:.1f}">{text}</text>'
    yield f'<text x="{LEFT:.0f}" y="{base + 24:.0f}">value 1</text>'
    middle = (LEFT + right) / 2
    yield f'<text class="x few" x="{middle:.0f}" y="{base + 42:.0f}">from input to output; {escape(measure)}</text>'
    yield f'<text class="end" x="{right:.0f}" y="{base + 24:.0f}">value {count}</text>'


def _limit(shown: Sequence[tuple[int, CheckedValue]], places: Sequence[float], scale: _Scale) -> str:
    """Return the line of what counts as equal, over the values of which some error does."""
    points = [
        (x, scale.y(v.difference.tolerance)) for x, (_, v) in zip(places, shown, strict=True) if v.difference.tolerance
    ]
    if not points:
        return ""
    pieces, before = [f"M{LEFT:.1f} {points[0][1]:.1f}"], points[0][1]
    for x, y in points:
        if y != before:
            pieces.append(f"H{x - 2:.1f} V{y:.1f}")
        before = y
    name_at = min(y for _, y in points) - 6
    return (
        f'<path class="limit" d="{" ".join(pieces)} H{WIDTH - RIGHT:.1f}"/>'
        f'<text class="limit-name end" x="{WIDTH - RIGHT:.0f}" y="{max(name_at, 20):.1f}">counts as equal</text>'
    )
