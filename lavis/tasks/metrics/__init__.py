"""Metrics: one module per benchmark; every rule under its own name."""

from lavis.tasks.metrics.base import Metric, MetricSummary

__all__ = ["Metric", "MetricSummary"]
