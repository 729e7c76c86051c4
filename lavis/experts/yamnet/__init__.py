"""Names sounds: YAMNet's 521 AudioSet classes over time, shared by every expert that listens."""

from __future__ import annotations

from lavis.experts.yamnet.tagger import CLASSES, MODEL, Tagger, Tags, shared_tagger

__all__ = ["CLASSES", "MODEL", "Tagger", "Tags", "shared_tagger"]
