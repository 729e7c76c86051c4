"""Read a JSON file once, whole, and say what is wrong with it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from lavis.common.errors import LavisError


def read_document(path: Path) -> Any:
    """Return what a JSON file holds; a byte order mark is passed over.

    Args:
        path: the file; a pipe will do, it is opened once.

    Raises:
        LavisError: it cannot be read, is not UTF-8 or not JSON, holds NaN or names a key twice.
    """

    def refuse_constant(name: str) -> NoReturn:
        raise LavisError(f"{path}: holds {name}, which JSON has not; write null or leave the entry out.")

    def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entry = dict(pairs)
        if len(entry) != len(pairs):
            (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
            raise LavisError(f"{path}: the key {twice!r} stands twice in one object; which of the two counts?")
        return entry

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LavisError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise LavisError(f"{path}: is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise LavisError(f"{path}: is not JSON that can be read: {error}. Is the file complete?") from error
