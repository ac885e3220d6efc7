"""What a conversion would do, without writing anything."""

from __future__ import annotations

from onnx_tf.planning.dry_run import plan
from onnx_tf.planning.results import Approximation, Plan, PlannedArtifact

__all__ = ["Approximation", "Plan", "PlannedArtifact", "plan"]
