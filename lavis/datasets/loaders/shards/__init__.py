"""Media kept in tar shards as webdataset writes them: found by an index, read in place, nothing unpacked."""

from __future__ import annotations

from lavis.datasets.loaders.shards.path import ShardPath, local_copy
from lavis.datasets.loaders.shards.patterns import is_sharded
from lavis.datasets.loaders.shards.shard_set import ShardSet

__all__ = ["ShardPath", "ShardSet", "is_sharded", "local_copy"]
