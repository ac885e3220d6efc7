"""Draw a layout report: a page with the rewritten graph, its channels-last region and what is still moved.

The page stands alone: no script, no font, nothing from elsewhere. Where colours tell something, shape and width say
it again, and so do the tables beside the drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from onnx_tf.layout.arrangement import Arrangement, Net, arrange
from onnx_tf.layout.page_style import BASE, GRAPH, head, table
from onnx_tf.layout.report import LayoutReport, NodeLayout, RemainingTranspose
from onnx_tf.telling import size

__all__ = ["drawn", "page", "tables"]

HEIGHT, ROW = 36.0, 60.0
CHARACTER, SMALL_CHARACTER, PADDING = 7.2, 6.2, 18.0
MAX_NAME = 32
MARGIN = 24.0

STYLE = f"""{BASE}{GRAPH}
header {{ position: sticky; top: 0; left: 0; width: 100%; max-width: 100vw; padding: 10px 24px;
  background: var(--bg); border-bottom: 1px solid var(--line); z-index: 1; }}
h2 {{ margin: 24px 24px 0; font-size: 1.05rem; }} details {{ max-height: 40vh; overflow: auto; }}
@media (max-width: 700px) {{ header {{ position: static; padding: 8px 12px; }} td, th {{ padding-right: 8px; }} }}
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
    return "\n".join(
        [
            head(f"{escape(title)}: memory order", STYLE),
            "<body>",
            f"<header><h1>{escape(title)}</h1><p>{escape(report.totals())}</p>",
            *tables(report),
            "</header><main>",
            *drawn(report),
            "</main></body></html>",
            "",
        ]
    )


def drawn(report: LayoutReport, level: int = 2) -> Iterator[str]:
    """Yield pictures of the rewritten graph, and of each body in it under a heading of a level."""
    moved = {transpose.node: transpose for transpose in report.transposes}
    anchors = _anchors(report)
    graphs: dict[str, list[NodeLayout]] = {}
    for node in report.nodes:
        graphs.setdefault(node.graph, []).append(node)
    for where, nodes in graphs.items():
        if where:
            yield f"<h{level}>{escape(where)}</h{level}>"
        yield from _picture(nodes, moved, anchors)


def tables(report: LayoutReport) -> Iterator[str]:
    """Yield what the colours of the pictures mean, the Transposes that are left, and all nodes, as tables."""
    yield (
        '<p class="legend"><b class="last">channels-last</b><b>ONNX order, or no channels</b>'
        '<b class="moved">Transpose of run-time data</b><b class="end">input or output</b></p>'
    )
    for kind, names in (("inputs", report.channels_last_inputs), ("outputs", report.channels_last_outputs)):
        if names:
            yield f"<p>channels-last {kind}: {escape(', '.join(names))}</p>"
    anchors = _anchors(report)
    if report.transposes:
        yield "<details><summary>the Transposes that are left</summary>"
        rows = []
        for t in report.transposes:
            link = f'<a class="id" href="#{anchors[t.node]}">{escape(t.value)}</a>'
            numbers = (f'<span class="whole">{text}</span>' for text in (" ".join(map(str, t.perm)), size(t.nbytes)))
            said = f'<span class="said">{escape(t.reason)}</span>'
            rows.append([link, *numbers, f'<span class="id">{escape(t.forced_by)}</span>', said])
        yield from table(("value", "perm", "bytes", "needed by", "because"), rows, "the Transposes that are left")
        yield "</details>"
    yield "<details><summary>all nodes</summary>"
    cells_of = ((node.name, node.op_type, node.order or "ONNX order, or no channels") for node in report.nodes)
    rows = [[f'<span class="id">{escape(name)}</span>', *map(escape, rest)] for name, *rest in cells_of]
    yield from table(("node", "operator", "memory order"), rows, "all nodes of the rewritten graph")
    yield "</details>"


def _anchors(report: LayoutReport) -> dict[str, str]:
    moved = {transpose.node for transpose in report.transposes}
    return {node.name: f"n{i}" for i, node in enumerate(report.nodes) if node.name in moved}


def _picture(
    nodes: Sequence[NodeLayout], moved: Mapping[str, RemainingTranspose], anchors: Mapping[str, str]
) -> Iterator[str]:
    boxes = [_box(node, moved.get(node.name), anchors.get(node.name, "")) for node in nodes]
    nets, values = _nets(nodes)
    placed = arrange([box.width for box in boxes], nets)
    right = max((x + b.width / 2 for x, b in zip(placed.centers, boxes, strict=True)), default=0)
    right = max([right, *(x for bends in placed.bends for x in bends.values())])
    bottom = (max(placed.layers, default=0) + 1) * ROW
    if boxes:  # where a narrow screen begins
        yield f'<i class="start" style="left:{placed.centers[0] + MARGIN:.0f}px"></i>'
    yield f'<svg class="graph" width="{right + 2 * MARGIN:.0f}" height="{bottom + MARGIN:.0f}" role="img">'
    yield f"<title>the rewritten graph, {len(nodes)} nodes from top to bottom</title>"
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
