"""decord, imported so that it leaves the other native libraries of the process alone."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

_lock = threading.Lock()


def import_decord() -> Any:
    """Import decord with its symbols kept to itself.

    Its own loader publishes them to the whole process (RTLD_GLOBAL), where they take the place of
    newer ones of the C++ runtime: the embedded reasoner then crashes in its first call.

    Raises:
        ImportError: decord is not installed.
    """
    flags: Any = ctypes
    with _lock:
        published = flags.RTLD_GLOBAL
        flags.RTLD_GLOBAL = flags.RTLD_LOCAL
        try:
            import decord
        finally:
            flags.RTLD_GLOBAL = published
    return decord
