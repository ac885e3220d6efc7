"""Draw a layout report: a page with the rewritten graph, its channels-last region and what is still moved.

The page stands alone: no script, no font, nothing from elsewhere. Colours are those of Okabe and
Ito, which people with any colour vision tell apart; shape and width say the same again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from onnx_tf.layout.arrangement import Arrangement, Net, arrange
from onnx_tf.layout.report import LayoutReport, NodeLayout, RemainingTranspose
from onnx_tf.telling import size

__all__ = ["page"]

HEIGHT, ROW = 36.0, 60.0
CHARACTER, SMALL_CHARACTER, PADDING = 7.0, 5.6, 18.0
MAX_NAME = 32
MARGIN = 24.0

STYLE = """
body { margin: 0; font: 14px/1.4 system-ui, sans-serif; color: #222; background: #fff; }
header { position: sticky; top: 0; left: 0; box-sizing: border-box; width: 100%; padding: 10px 24px;
  background: #fff; border-bottom: 1px solid #bbb; z-index: 1; }
h1 { margin: 0; font-size: 17px; } h2 { margin: 24px 24px 0; font-size: 15px; } p { margin: 2px 0; }
details { max-height: 40vh; overflow: auto; } summary { cursor: pointer; }
table { border-collapse: collapse; } td, th { padding: 1px 14px 1px 0; text-align: left; vertical-align: top; }
.legend span { display: inline-block; padding: 0 8px; margin-right: 10px; border: 1px solid #777; border-radius: 4px; }
.legend .last { background: #cfe6f5; border-color: #0072b2; }
.legend .moved { background: #d55e00; border-color: #7a3600; color: #fff; font-weight: bold; }
.legend .end { border-radius: 10px; }
svg { display: block; } text { font: 12px system-ui, sans-serif; text-anchor: middle; fill: #222; }
rect { fill: #fff; stroke: #777; } .last rect { fill: #cfe6f5; stroke: #0072b2; }
.moved rect { fill: #d55e00; stroke: #7a3600; stroke-width: 2; } .moved text { fill: #fff; font-weight: bold; }
path { fill: none; stroke: #aaa; stroke-width: 1.2; } path.last { stroke: #0072b2; stroke-width: 2; }
text.name { font-size: 10px; fill: #555; } .moved text.name { fill: #fff; font-weight: normal; }
@media (max-width: 700px) { header { position: static; padding: 8px 12px; } td, th { padding-right: 8px; } }
g { scroll-margin: 45vh; } g:target rect { stroke: #000; stroke-width: 4; }
"""


@dataclass(frozen=True)
class _Box:
    """A node of the drawing."""

    label: str
    name: str
    kind: str
    anchor: str
    tooltip: str

    @property
    def width(self) -> float:
        return max(len(self.label) * CHARACTER, len(self.name) * SMALL_CHARACTER) + PADDING


def page(report: LayoutReport, title: str) -> str:
    """Return an HTML page that shows a report.

    Args:
        report: the report of a conversion.
        title: what the model is called.
    """
    moved = {transpose.node: transpose for transpose in report.transposes}
    anchors = {node.name: f"n{i}" for i, node in enumerate(report.nodes) if node.name in moved}
    graphs: dict[str, list[NodeLayout]] = {}
    for node in report.nodes:
        graphs.setdefault(node.graph, []).append(node)
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: memory order</title>",
        f"<style>{STYLE}</style></head><body>",
        *_header(report, title, anchors),
    ]
    for where, nodes in graphs.items():
        if where:
            lines.append(f"<h2>{escape(where)}</h2>")
        lines += _picture(nodes, moved, anchors)
    return "\n".join([*lines, "</body></html>", ""])


def _header(report: LayoutReport, title: str, anchors: Mapping[str, str]) -> Iterator[str]:
    yield f"<header><h1>{escape(title)}</h1><p>{escape(report.totals())}</p>"
    yield (
        '<p class="legend"><span class="last">channels-last</span><span>ONNX order, or no channels</span>'
        '<span class="moved">Transpose of run-time data</span><span class="end">input or output</span>'
        "point at a node, or touch it, for the rest</p>"
    )
    for kind, names in (("inputs", report.channels_last_inputs), ("outputs", report.channels_last_outputs)):
        if names:
            yield f"<p>channels-last {kind}: {escape(', '.join(names))}</p>"
    if report.transposes:
        yield "<details><summary>the Transposes that are left</summary><table>"
        yield "<tr><th>value<th>perm<th>bytes<th>needed by<th>because</tr>"
        for t in report.transposes:
            link = f'<a href="#{anchors[t.node]}">{escape(t.value)}</a>'
            cells = (" ".join(map(str, t.perm)), size(t.nbytes), t.forced_by, t.reason)
            yield f"<tr><td>{link}{''.join(f'<td>{escape(cell)}' for cell in cells)}</tr>"
        yield "</table></details>"
    yield "</header>"


def _picture(
    nodes: Sequence[NodeLayout], moved: Mapping[str, RemainingTranspose], anchors: Mapping[str, str]
) -> Iterator[str]:
    boxes = [_box(node, moved.get(node.name), anchors.get(node.name, "")) for node in nodes]
    nets, values = _nets(nodes)
    placed = arrange([box.width for box in boxes], nets)
    right = max((x + b.width / 2 for x, b in zip(placed.centers, boxes, strict=True)), default=0)
    right = max([right, *(x for bends in placed.bends for x in bends.values())])
    bottom = (max(placed.layers, default=0) + 1) * ROW
    yield f'<svg width="{right + 2 * MARGIN:.0f}" height="{bottom + MARGIN:.0f}" role="img">'
    yield f'<g transform="translate({MARGIN:.0f} {MARGIN:.0f})">'
    for index, (net, value) in enumerate(zip(nets, values, strict=True)):
        last = nodes[net.source].order and boxes[net.source].kind != "moved"
        kind = ' class="last"' if last or (boxes[net.source].kind == "moved" and nodes[net.readers[0]].order) else ""
        yield f'<path{kind} d="{_line(net, placed, index)}"><title>{escape(value)}</title></path>'
    for box, x, layer in zip(boxes, placed.centers, placed.layers, strict=True):
        yield from _drawn(box, x, layer * ROW)
    yield "</g></svg>"


def _box(node: NodeLayout, transpose: RemainingTranspose | None, anchor: str) -> _Box:
    label, name, kind = node.op_type, node.name, "last" if node.order else ""
    said = [f"{node.op_type} {node.name}", node.order or "in the ONNX order, or without channels"]
    if node.op_type in ("input", "output"):
        label, name, kind = node.name, node.op_type, f"{kind} end"
    if transpose is not None and node.op_type == "Transpose":
        label, kind = f"Transpose {' '.join(map(str, transpose.perm))} · {size(transpose.nbytes)}", "moved"
        said[1:] = [f"moves {transpose.value}, needed by {transpose.forced_by}", transpose.reason]
    if len(label) > 40:
        label = f"{label[:38]} …"
    if len(name) > MAX_NAME:
        name = f"… {name[2 - MAX_NAME :]}"
    return _Box(label, name, kind.strip(), anchor, "\n".join(said))


def _nets(nodes: Sequence[NodeLayout]) -> tuple[list[Net], list[str]]:
    """Return who reads what, without what comes from outside the graph."""
    source_of = {name: i for i, node in enumerate(nodes) for name in node.outputs}
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(nodes):
        for name in dict.fromkeys(node.inputs):
            if source_of.get(name, index) < index:
                readers.setdefault(name, []).append(index)
    return [Net(source_of[name], tuple(found)) for name, found in readers.items()], list(readers)


def _line(net: Net, placed: Arrangement, index: int) -> str:
    """Return the path of a value: down through the layers, with a branch to each reader."""
    bends, start = placed.bends[index], placed.centers[net.source]
    pieces = []
    x = start
    for layer, bend in sorted(bends.items()):
        pieces.append(_curve(x, bend, layer - 1) + f" V{layer * ROW + HEIGHT:.0f}")
        x = bend
    for reader in net.readers:
        layer = placed.layers[reader]
        pieces.append(_curve(bends.get(layer - 1, start), placed.centers[reader], layer - 1))
    return " ".join(pieces)


def _curve(x: float, to: float, layer: int) -> str:
    """Return the way from below a layer to the top of the next one."""
    y, end = layer * ROW + HEIGHT, (layer + 1) * ROW
    if abs(x - to) < 0.5:
        return f"M{x:.1f} {y:.0f} V{end:.0f}"
    middle = (y + end) / 2
    return f"M{x:.1f} {y:.0f} C{x:.1f} {middle:.0f} {to:.1f} {middle:.0f} {to:.1f} {end:.0f}"


def _drawn(box: _Box, x: float, y: float) -> Iterable[str]:
    anchor = f' id="{box.anchor}"' if box.anchor else ""
    kind = f' class="{box.kind}"' if box.kind else ""
    left, corner = x - box.width / 2, HEIGHT / 2 if box.kind.endswith("end") else 4
    yield f"<g{anchor}{kind}><title>{escape(box.tooltip)}</title>"
    yield f'<rect x="{left:.1f}" y="{y:.0f}" width="{box.width:.1f}" height="{HEIGHT:.0f}" rx="{corner:.0f}"/>'
    yield f'<text x="{x:.1f}" y="{y + HEIGHT * 0.42:.0f}">{escape(box.label)}</text>'
    yield f'<text class="name" x="{x:.1f}" y="{y + HEIGHT * 0.8:.0f}">{escape(box.name)}</text></g>'
