"""What is kept: evidence, completions and finished answers."""

from lavis.store.completion_cache import CompletionCache
from lavis.store.evidence_shards import EvidenceShards
from lavis.store.evidence_store import EvidenceStore
from lavis.store.journal import Journal
from lavis.store.journal_reader import JournalReader

__all__ = ["CompletionCache", "EvidenceShards", "EvidenceStore", "Journal", "JournalReader"]
