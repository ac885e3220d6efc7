"""The page that shows a report, and the arrangement of the graph on it."""

from __future__ import annotations

import itertools
import random
import re
from xml.etree import ElementTree

import pytest
from onnx import TensorProto, helper

from onnx_tf.layout.arrangement import Net, arrange
from onnx_tf.layout.drawing import page
from test.layout.running import optimized
from test.layout.test_nets import Net as Model
from test.layout.test_nets import shuffle_unit, unet


def pictures(text: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall("<svg.*?</svg>", text, re.DOTALL)]


def boxes(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return [group for group in picture.iter("g") if group.find("rect") is not None]


@pytest.mark.parametrize("build", [unet, shuffle_unit])
def test_the_page_shows_every_node_and_what_is_moved(build) -> None:
    _, report = optimized(build())
    text = page(report, "net & <co>")
    (picture,) = pictures(text)
    assert report.totals() in text
    assert "net &amp; &lt;co&gt;" in text
    assert len(boxes(picture)) == len(report.nodes)
    moved = [box for box in boxes(picture) if box.get("class") == "moved"]
    assert len(moved) == len(report.transposes) == 2
    for box, transpose in zip(moved, report.transposes, strict=True):
        said = box.findtext("title")
        assert transpose.forced_by in said
        assert transpose.reason in said
        assert f'href="#{box.get("id")}"' in text
    kinds = {node.op_type: node.order for node in report.nodes}
    assert kinds["Conv"] == "channels-last"
    assert kinds["input"] == ""
    assert not re.search("<script|<link|src=|url[(]|http", text)


def test_asked_for_signatures_are_named() -> None:
    _, report = optimized(unet(), channels_last_inputs="all", channels_last_outputs="all")
    text = page(report, "unet")
    assert "channels-last inputs: x" in text
    assert all(node.order == "channels-last" for node in report.nodes)
    assert 'class="moved"' not in text.partition("<svg")[2]


def test_nothing_is_chosen_but_all_is_drawn() -> None:
    _, report = optimized(unet(), exists_channels_last=None)
    assert {"Conv", "Relu", "input", "output"} <= {node.op_type for node in report.nodes}
    assert not any(node.order for node in report.nodes)


def test_bodies_are_pictures_of_their_own() -> None:
    branches = [
        helper.make_graph([helper.make_node(op_type, ["x"], ["z"], name=op_type)], op_type, [], [value])
        for op_type in ("Relu", "Neg")
        for value in [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 4, 8, 8])]
    ]
    net = Model(x=(1, 4, 8, 8))
    condition = net.add("Cast", net.add("ReduceMax", net.conv("x", 4, 4), keepdims=0), to=TensorProto.BOOL)
    chosen = net.add("If", condition, then_branch=branches[0], else_branch=branches[1])
    _, report = optimized(net.model(chosen))
    text = page(report, "branches")
    assert [len(boxes(picture)) for picture in pictures(text)] == [len(report.nodes) - 4, 2, 2]
    (branch,) = (node for node in report.nodes if node.op_type == "If")
    assert len(branch.inputs) == 2


def test_a_chain_is_straight_and_a_skip_goes_round_it() -> None:
    nets = [Net(0, (1, 4)), *(Net(i, (i + 1,)) for i in range(1, 6))]
    placed = arrange([40.0] * 7, nets)
    assert placed.layers == list(range(7))
    assert max(placed.centers) - min(placed.centers) < 0.5
    assert placed.bends[0].keys() == {1, 2, 3}
    assert all(abs(x - placed.centers[0]) > 20 for x in placed.bends[0].values())


def test_nothing_overlaps_and_edges_lead_downwards() -> None:
    rng = random.Random(0)
    count = 1000
    readers = {i: sorted(rng.sample(range(i + 1, min(count, i + 30)), k=min(2, count - 1 - i))) for i in range(count)}
    nets = [Net(i, tuple(found)) for i, found in readers.items() if found]
    widths = [rng.uniform(20, 120) for _ in range(count)]
    placed = arrange(widths, nets)
    for net, bends in zip(nets, placed.bends, strict=True):
        top, bottom = placed.layers[net.source], max(placed.layers[r] for r in net.readers)
        assert all(placed.layers[r] > top for r in net.readers)
        assert sorted(bends) == list(range(top + 1, bottom))
    rows: dict[int, list[tuple[float, float]]] = {}
    for layer, x, width in zip(placed.layers, placed.centers, widths, strict=True):
        rows.setdefault(layer, []).append((x - width / 2, x + width / 2))
    for row in rows.values():
        assert all(left[1] < right[0] for left, right in itertools.pairwise(sorted(row)))
    assert min(left for row in rows.values() for left, _ in row) >= 0
