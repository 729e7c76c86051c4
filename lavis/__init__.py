"""MEXA in LAVIS: experts that look, a reasoner that answers."""

from __future__ import annotations

import sys

from lavis.common.paths import LIBRARY_ROOT, REPO_ROOT, cache_root
from lavis.common.registry import registry

__version__ = "2.0.0.dev0"

# Overwritten on a reload, and after LAVIS_CACHE has changed.
registry.register_path("library_root", str(LIBRARY_ROOT), overwrite=True)
registry.register_path("repo_root", str(REPO_ROOT), overwrite=True)
registry.register_path("cache_root", str(cache_root()), overwrite=True)
registry.register("MAX_INT", sys.maxsize)
registry.register("SPLIT_NAMES", ["train", "val", "test"])
