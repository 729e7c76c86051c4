"""Read a JSON file once, whole, and say what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lavis.common.errors import LavisError
from lavis.common.files import strict_json


def read_document(path: Path) -> Any:
    """Return what a JSON file holds; a byte order mark is passed over.

    Args:
        path: the file; a pipe will do, it is opened once.

    Raises:
        LavisError: it cannot be read, is not UTF-8 or not JSON, holds NaN or names a key twice.
    """
    try:
        return strict_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LavisError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise LavisError(f"{path}: is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except ValueError as error:
        raise LavisError(f"{path}: is not JSON that can be read: {error}. Is the file complete?") from error
