"""Completions kept by everything that decides them, so that no prompt is paid for twice."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from lavis.reasoners.base import Completion, Prompt
from lavis.store.entry_files import EntryFiles, digest

# Stands for the run's marker in the key: the same evidence fenced by another run is the same prompt.
ANY_MARKER = "marker"


class CompletionCache:
    """Completions by reasoner identity and prompt. Empty, cut and unfit completions are never kept."""

    def __init__(self, root: Path) -> None:
        self.entries = EntryFiles(root)

    def key(self, identity: dict[str, Any], prompt: Prompt, marker: str) -> str:
        """Return the key of a prompt under a reasoner's identity.

        Args:
            identity: the reasoner's model and parameters.
            prompt: what is asked.
            marker: this run's fence marker, which the key leaves out.
        """
        # Only where there is some, so that what was kept before sounds could be asked about is still found.
        heard = {"audio": [hashlib.sha256(sound.data).hexdigest() for sound in prompt.audio]} if prompt.audio else {}
        parts = [part.replace(marker, ANY_MARKER) for part in (prompt.system, prompt.shared, prompt.own)]
        return digest(
            {
                "identity": identity,
                "prompt": parts,
                "choices": prompt.choices,
                "max_choices": prompt.max_choices,
                "max_tokens": prompt.max_tokens,
                "lead": prompt.lead,
                "images": [hashlib.sha256(image.data).hexdigest() for image in prompt.images],
                "schema": prompt.schema,
                **heard,
            }
        )

    def get(self, key: str) -> Completion | None:
        """Return a kept completion, or None."""
        entry = self.entries.get(key)
        return None if entry is None else Completion.from_json(entry)

    def put(self, key: str, completion: Completion) -> None:
        """Keep a completion that is whole; it is kept without its USD, which prices decide anew."""
        if completion.whole:
            usage = dataclasses.replace(completion.usage, usd=None)
            self.entries.put(key, dataclasses.replace(completion, usage=usage).to_json())
