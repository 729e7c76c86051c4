"""The evidence store: what an expert said of a medium, kept so that it looks once."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from pathlib import Path
from typing import Any

from lavis.datasets.question import Media, Question
from lavis.experts.base import Expert
from lavis.experts.evidence import Evidence
from lavis.store.entry_files import EntryFiles, digest

# Media whose fingerprints are remembered; questions on one medium follow each other.
REMEMBERED_MEDIA = 256


class EvidenceStore:
    """Evidence by medium, expert, version and settings.

    The key holds everything that the text depends on: the fingerprint of the files, the expert's
    name, version and options, how the clip is sampled and read, the side data its card needs, and
    the question where it is question-aware. A change of any of them is another key.
    """

    def __init__(self, root: Path) -> None:
        self.entries = EntryFiles(root)
        self._fingerprints: OrderedDict[tuple[str, str], str] = OrderedDict()

    def key(self, expert: Expert, options: dict[str, Any], reading: dict[str, Any], question: Question) -> str:
        """Return the key of an expert's evidence on a question's medium.

        Args:
            expert: the expert.
            options: its options in the configuration.
            reading: how its clip is read (frames per clip, the loader's options).
            question: gives the medium, its side data and, where it matters, the text.
        """
        card = expert.card
        media = question.media
        return digest(
            {
                "expert": card.name,
                "version": card.version,
                "options": options,
                "reading": reading,
                "media_id": media.media_id,
                "fingerprint": self._fingerprint(media, card.modality),
                "side": {need: _plain(media.side.get(need)) for need in card.needs},
                "question": [question.text, question.situation, question.options] if card.question_aware else None,
            }
        )

    def get(self, key: str) -> Evidence | None:
        """Return kept evidence, or None."""
        entry = self.entries.get(key)
        return None if entry is None else Evidence.from_json(entry)

    def put(self, key: str, evidence: Evidence) -> None:
        """Keep evidence; a failure is never kept."""
        if evidence.error is None:
            self.entries.put(key, evidence.to_json())

    def _fingerprint(self, media: Media, modality: str) -> str:
        place = (media.media_id, str(media.sources[modality]))
        if place not in self._fingerprints:
            self._fingerprints[place] = media.fingerprint(modality)
            if len(self._fingerprints) > REMEMBERED_MEDIA:
                self._fingerprints.popitem(last=False)
        return self._fingerprints[place]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
