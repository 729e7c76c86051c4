"""What a run lends the model: where things are kept, how media are read, what fences evidence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lavis.models.mexa_models.prompts import draw_marker
from lavis.models.mexa_models.stages import Stages
from lavis.reasoners.ledger import Ledger
from lavis.store import CompletionCache, EvidenceStore

MissingMedia = Literal["error", "record", "fail"]


@dataclasses.dataclass(frozen=True)
class Workbench:
    """What a run lends the model.

    Attributes:
        store: where evidence is kept.
        completions: where completions are kept; None to ask every time.
        marker: fences evidence in this run.
        missing_media: ``error`` stops at a medium that cannot be read; ``record`` keeps the reason as
            evidence without text and answers from what there is; ``fail`` records the question as failed.
        vocabulary: what may be answered where a question has no options; empty: any short phrase.
        examples: (question, answer) pairs that show a reasoner of the ``text`` form how to answer.
        loader_options: options per loader by modality name (``{"depth": {"scale_m": 0.001}}``).
        ledger: admits and counts calls.
        stages: says where every question is just now.
    """

    store: EvidenceStore
    completions: CompletionCache | None
    marker: str
    missing_media: MissingMedia = "error"
    vocabulary: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    loader_options: Mapping[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    ledger: Ledger = dataclasses.field(default_factory=Ledger)
    stages: Stages = dataclasses.field(default_factory=Stages)


def new_workbench(folder: Path, **kwargs: Any) -> Workbench:
    """Return a workbench below a folder, with a marker of its own, for use outside a run."""
    return Workbench(
        EvidenceStore(folder / "evidence"), CompletionCache(folder / "completions"), draw_marker(), **kwargs
    )
