"""What a conversion is worth, in a word and a few sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from onnx_tf.report.content import Report

if TYPE_CHECKING:
    from onnx_tf.artifacts import Written
    from onnx_tf.check.accuracy import Accuracy

__all__ = ["MARKS", "Judgement", "Kind", "judged", "number", "of_artifact", "reasons", "told"]

Kind = Literal["good", "warn", "bad"]
MARKS: dict[Kind, str] = {"good": "✓", "warn": "!", "bad": "✗"}
"""What says the same as the colours."""


@dataclass(frozen=True)
class Judgement:
    """A verdict.

    Attributes:
        kind: whether it is good, bad, or not known.
        text: what it is.
        details: more about it, a sentence each.
    """

    kind: Kind
    text: str
    details: tuple[str, ...] = ()


def judged(report: Report) -> Judgement:
    """Return the verdict over all that was written and compared."""
    artifacts = [of_artifact(written) for written in report.artifacts]
    values = _of_values(report)
    details = tuple(sentence for part in (*artifacts, values) for sentence in part.details)
    kinds = [part.kind for part in artifacts]
    if "bad" in kinds or (values.kind == "bad" and "good" not in kinds):
        return Judgement("bad", "It differs from ONNX Runtime", details)
    if values.kind == "bad":
        return Judgement("warn", "Its outputs are ONNX Runtime's, values inside are not", details)
    poor = [part for part in artifacts if part.kind == "warn" and part.text]
    if poor:
        return Judgement("warn", poor[0].text, details)
    if "quantised" in [part.text for part in artifacts]:
        return Judgement("good", "It is quantised, and close to ONNX Runtime", details)
    if "good" in kinds or values.kind == "good":
        return Judgement("good", "It computes what ONNX Runtime does", details)
    return Judgement("warn", "It was not compared with ONNX Runtime", details)


def of_artifact(written: Written) -> Judgement:
    """Return the verdict over one artefact: of a warning without a text nothing is known."""
    name = written.path.name
    if written.accuracy is not None:
        worst = max((output.error for output in written.accuracy.outputs), default=0.0)
        if written.accuracy.fits:
            return Judgement("good", "equal", (f"{name}: its largest error is {told(worst, written.accuracy)}.",))
        names = ", ".join(output.name for output in written.accuracy.outputs if not output.fits)
        return Judgement("bad", "differs", (f"{name}: {names} differs by up to {told(worst, written.accuracy)}.",))
    if written.verdict is not None:
        agreement = written.verdict.agreement
        said = "" if agreement is None else f": the largest class is ONNX Runtime's in {agreement:.0%} of the cases"
        if written.verdict.is_good:
            return Judgement("good", "quantised", (f"{name} is quantised{said}.",))
        return Judgement("warn", "Quantising it costs too much", (f"{name} is quantised{said}.",))
    if written.obstacle is not None:
        return Judgement("warn", "", (f"{name} could not be compared: {written.unchecked}",))
    return Judgement("warn", "", (f"{name} was not compared itself.",))


def _of_values(report: Report) -> Judgement:
    if report.values is None:
        return Judgement("warn", "", (f"The values inside were not compared: {report.no_values}",))
    checked = report.values.checked
    differing = [value for value in checked if not value.fits]
    if not differing:
        largest = max((value.difference.error for value in checked), default=0.0)
        return Judgement("good", "equal", (f"All {len(checked)} values inside agree, up to {number(largest)}.",))
    first = differing[0]
    said = f"{len(differing)} of {len(checked)} values inside differ, the first at node {first.node} ({first.op})."
    return Judgement("bad", "differs", (said,))


def told(error: float, accuracy: Accuracy) -> str:
    """Return an error in the measure of a comparison."""
    if math.isinf(error):
        return "more than numbers tell"
    return f"{error:.1f} {accuracy.unit}" if accuracy.unit else f"{number(error)} of its scale"


def number(error: float) -> str:
    """Return an error as people read it: ``2.6e-06``, ``0``, ``1.7``."""
    return f"{error:.1e}" if 0 < error < SMALL else f"{error:.2g}"


SMALL = 0.01


def reasons(written: Written) -> Iterator[str]:
    """Yield what is known of why outputs of an artefact differ."""
    for output in written.accuracy.outputs if written.accuracy is not None else ():
        if output.reason:
            yield f"{output.name}: {output.reason}"
        elif not output.fits and output.at:
            yield f"{output.name}: at {output.at}"
        yield from written.accuracy.known.get(output.name, ()) if written.accuracy is not None else ()
