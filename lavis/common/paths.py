"""Where things lie: the package, its configs, and the cache of this user."""

from __future__ import annotations

import os
from pathlib import Path

LIBRARY_ROOT = Path(__file__).resolve().parents[1]
REPO_ROOT = LIBRARY_ROOT.parent


def cache_root() -> Path:
    """Return the folder for what is downloaded or computed once: ``LAVIS_CACHE``, or ``~/.cache/lavis``."""
    return Path(os.environ.get("LAVIS_CACHE") or Path.home() / ".cache" / "lavis").expanduser()
