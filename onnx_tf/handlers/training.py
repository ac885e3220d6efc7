"""Optimiser steps of ai.onnx.preview.training."""
