"""Processors: what turns loaded media and text into model input."""

from __future__ import annotations

from typing import Any

from lavis.common.registry import registry
from lavis.processors.base_processor import BaseProcessor

__all__ = ["BaseProcessor", "load_processor"]


def load_processor(name: str, cfg: Any = None) -> BaseProcessor:
    """Build the processor registered under ``name``.

    Args:
        name: its registry name (``blip_question``).
        cfg: its options, or None for every default.

    Raises:
        UnknownNameError: no processor carries the name; the nearest one is named.
    """
    processor: BaseProcessor = registry.require("processor", name).from_config(cfg)
    return processor
