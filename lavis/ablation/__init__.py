"""Ablation: variants of one configuration on the same questions, and one table that compares them."""

from lavis.ablation.reading import RunRecord, read_runs
from lavis.ablation.table import Settings, Table, make_tables, write_tables
from lavis.ablation.variants import Variant, make_variants

__all__ = [
    "RunRecord",
    "Settings",
    "Table",
    "Variant",
    "make_tables",
    "make_variants",
    "read_runs",
    "write_tables",
]
