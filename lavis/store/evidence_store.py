"""The evidence store: what an expert said of a medium, kept so that it looks once."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from lavis.common.registry import registry
from lavis.datasets.loaders.reader import sampled_by, time_keeper
from lavis.datasets.question import Media, Question
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.evidence import Evidence
from lavis.store.entry_files import EntryFiles, digest
from lavis.store.evidence_shards import EvidenceShards

# Folders of what serves every question on a medium, and of what was written for one question.
KINDS = {False: "media", True: "questions"}
# Media whose fingerprints are remembered; questions on one medium follow each other.
REMEMBERED_MEDIA = 256
# Evidence that is held in memory: that of the media which are being asked about.
REMEMBERED_EVIDENCE = 512


@dataclasses.dataclass(frozen=True)
class EvidenceKey:
    """Where evidence is looked for.

    Attributes:
        local: everything that the text depends on, the fingerprint of the medium's files included.
        portable: the same without the fingerprint, for evidence that was carried to another machine.
        question_aware: whether it speaks to one question, and is kept apart from what serves a whole medium.
    """

    local: str
    portable: str
    question_aware: bool = False


class EvidenceStore:
    """Evidence by medium, expert, version and settings. Safe to use from several threads and processes.

    The key holds everything that the text depends on: the fingerprint of the files, the expert's
    name, version and options, how the clip is sampled and read, the side data its card needs, and
    the question where it is question-aware. A change of any of them is another key.

    Args:
        root: where entries lie, one file each: below ``media``, and below ``questions`` where they are question-aware.
        shards: evidence that was packed elsewhere, looked for where the root has none.
    """

    def __init__(self, root: Path, shards: EvidenceShards | None = None) -> None:
        self.entries = {aware: EntryFiles(root / kind) for aware, kind in KINDS.items()}
        self.shards = shards
        self._lock = threading.Lock()
        self._fingerprints: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._held: OrderedDict[EvidenceKey, Evidence] = OrderedDict()

    def key(self, expert: Expert, options: dict[str, Any], reading: dict[str, Any], question: Question) -> EvidenceKey:
        """Return the key of an expert's evidence on a question's medium.

        Args:
            expert: the expert.
            options: its options in the configuration.
            reading: how its clip is read (frames per clip, the loader's options).
            question: gives the medium, its side data and, where it matters, the text.
        """
        card = expert.card
        media = question.media
        decides: dict[str, Any] = {
            "expert": card.name,
            "version": card.version,
            "options": expert.deciding(options),
            "reading": reading,
            "media_id": media.media_id,
            "side": {need: _plain(media.side.get(need)) for need in card.needs},
            "question": [question.text, question.situation, question.options] if card.question_aware else None,
        }
        serving = media.serving(card.modality)
        if serving != card.modality:
            decides["served_by"] = serving  # a video's frames are not those of a folder, bit by bit
        beside = [modality for modality in card.companions if media.serving(modality)]
        if beside:
            decides["companions"] = {modality: media.serving(modality) for modality in beside}
        if is_sampled(media, card):
            decides["sampled_by"] = sampled_by(media)
        portable = digest(decides)
        prints = [self.fingerprint(media, modality) for modality in looked_at(media, card)]
        return EvidenceKey(digest([portable, *prints]), portable, question_aware=card.question_aware)

    def knows(self, media: Media, card: ExpertCard) -> bool:
        """Return whether the fingerprints of what an expert looks at are remembered: :meth:`key` opens no folder."""
        return all(_place(media, modality) in self._fingerprints for modality in looked_at(media, card))

    def held(self, key: EvidenceKey) -> Evidence | None:
        """Return evidence that is in memory, or None."""
        with self._lock:
            evidence = self._held.get(key)
            if evidence is not None:
                self._held.move_to_end(key)
            return evidence

    def get(self, key: EvidenceKey) -> Evidence | None:
        """Return kept evidence, from memory, the root or the shards, or None."""
        evidence = self.held(key)
        if evidence is not None:
            return evidence
        entry = self.entries[key.question_aware].get(key.local)
        if entry is None and self.shards is not None:
            entry = self.shards.get(key.portable)
        if entry is None:
            return None
        evidence = Evidence.from_json(entry)
        self._hold(key, evidence)
        return evidence

    def put(self, key: EvidenceKey, evidence: Evidence) -> None:
        """Keep evidence; a failure is never kept."""
        if evidence.error is None:
            self.entries[key.question_aware].put(key.local, evidence.to_json())
            self._hold(key, evidence)

    def fingerprint(self, media: Media, modality: str) -> str:
        """Return the fingerprint of a medium's files, taken once."""
        place = _place(media, modality)
        found = self._fingerprints.get(place)
        if found is None:
            found = media.fingerprint(modality)
            with self._lock:
                self._fingerprints[place] = found
                if len(self._fingerprints) > REMEMBERED_MEDIA:
                    self._fingerprints.popitem(last=False)
        return found

    def _hold(self, key: EvidenceKey, evidence: Evidence) -> None:
        with self._lock:
            self._held[key] = evidence
            if len(self._held) > REMEMBERED_EVIDENCE:
                self._held.popitem(last=False)


def looked_at(media: Media, card: ExpertCard) -> list[str]:
    """Return the modalities whose files decide an expert's evidence: its own, and the one whose frames are counted."""
    found = [card.modality, *(modality for modality in card.companions if media.serving(modality))]
    keeper = time_keeper(media) if is_sampled(media, card) else None
    return found if keeper is None or keeper in map(media.serving, found) else [*found, keeper]


def is_sampled(media: Media, card: ExpertCard) -> bool:
    """Return whether some of what an expert looks at has frames that are chosen from."""
    loaders = registry.names_of("loader")
    served = [media.serving(modality) for modality in (card.modality, *card.companions)]
    return any(name in loaders and loaders[name].timed for name in served if name is not None)


def _place(media: Media, modality: str) -> tuple[str, str]:
    return media.media_id, str(media.path(modality))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
