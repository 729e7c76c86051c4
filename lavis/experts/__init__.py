"""Experts: each turns one modality of a medium into evidence, in words."""

from __future__ import annotations

from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.evidence import Evidence

__all__ = ["Evidence", "Expert", "ExpertCard"]
