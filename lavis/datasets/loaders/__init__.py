"""Modality loaders: files to arrays that know their shape, unit and time; one module per modality."""

from __future__ import annotations

from lavis.datasets.loaders.base import Clip, Loader, Sampling

__all__ = ["Clip", "Loader", "Sampling"]
