"""The errors of nodes as node data of Model Explorer, which colours the graph of the ONNX model by them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_tf.check.values import CheckedValue, Values

__all__ = ["node_data"]

INFINITE = 3.4028234663852886e38
"""What stands for an infinite error: JSON has none."""
SHARES = ((1e-4, "#d9f0e3", "#0b3d24"), (1e-2, "#a6d8bd", "#0b3d24"), (1.0, "#f6d58b", "#4a3200"))
"""Colours of nodes whose error is up to a share of what counts as equal."""
DIFFERS, DIFFERS_TEXT = "#b84700", "#ffffff"


def node_data(values: Values) -> str:
    """Return JSON with the largest error of each node, by its name and by the names of its values.

    The errors are shares of what counts as equal, so that above 1 a node differs.
    """
    results: dict[str, dict[str, Any]] = {}
    for value in values.checked:
        for key in dict.fromkeys((value.node, value.name)):
            found = _result(value)
            if key not in results or results[key]["value"] < found["value"]:
                results[key] = found
    thresholds = [{"value": limit, "bgColor": color, "textColor": text} for limit, color, text in SHARES]
    thresholds.append({"value": INFINITE, "bgColor": DIFFERS, "textColor": DIFFERS_TEXT})
    return json.dumps({"results": results, "thresholds": thresholds}, indent=1, allow_nan=False)


def _result(value: CheckedValue) -> dict[str, Any]:
    difference = value.difference
    if difference.reason or not math.isfinite(difference.error):
        return {"value": INFINITE}
    if not difference.error:
        return {"value": 0.0}
    return {"value": min(difference.error / difference.tolerance, INFINITE) if difference.tolerance else INFINITE}
