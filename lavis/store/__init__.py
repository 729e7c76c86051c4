"""What is kept: evidence, completions and finished answers."""

from lavis.store.completion_cache import CompletionCache
from lavis.store.evidence_store import EvidenceStore
from lavis.store.journal import Journal, JournalReader

__all__ = ["CompletionCache", "EvidenceStore", "Journal", "JournalReader"]
