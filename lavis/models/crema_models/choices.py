"""Words of CREMA's configuration that stand for a choice."""

from __future__ import annotations

from typing import Literal

DownstreamTask = Literal["mcqa", "oeqa"]
Precision = Literal["fp32", "fp16", "bf16"]
