"""Names of shards written as a pattern: ``frames-{000000..000003}.tar``, ``frames-*.tar``."""

from __future__ import annotations

import functools
import glob
import itertools
import os

from lavis.common.errors import ConfigError

MAX_SHARDS = 100_000
PIPE = "pipe:"
# Several storages stand side by side with this between them.
BETWEEN = "::"


def is_sharded(storage: str) -> bool:
    """Tell whether a modality's storage names shards (``….tar``, compressed ones too, or ``pipe:…``), not a folder."""
    ends = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
    return any(one.startswith(PIPE) or one.lower().endswith(ends) for one in storage.split(BETWEEN))


@functools.lru_cache(maxsize=256)
def expanded(pattern: str, *, root: str = "") -> tuple[str, ...]:
    """Return the files that a pattern of braces and wildcards names; a plain name is itself.

    Files that braces name need not exist; what wildcards match is looked up once per process.

    Args:
        pattern: absolute, or relative to ``root``.
        root: folder whose own name is taken letter by letter.

    Raises:
        ConfigError: braces that do not match, or more than 100,000 names.
    """
    if os.path.exists(os.path.join(root, pattern)):
        return (pattern,)
    names: list[str] = []
    for name in braces(pattern):
        if glob.has_magic(name) and not os.path.exists(os.path.join(root, name)):
            names.extend(sorted(glob.glob(name, root_dir=root or None)))
        else:
            names.append(name)
    return tuple(names)


def braces(pattern: str) -> list[str]:
    """Expand ``{a,b}`` and ``{000..012}`` as a shell does, and as webdataset does.

    Raises:
        ConfigError: the package for it is not installed, the braces do not match, or they name too many.
    """
    if "{" not in pattern:
        return [pattern]
    try:
        import braceexpand
    except ImportError as error:
        raise ConfigError(
            f"{pattern}: braces in the name of shards need the package braceexpand: install salesforce-lavis[data]."
        ) from error
    try:
        names = list(itertools.islice(braceexpand.braceexpand(pattern), MAX_SHARDS + 1))
    except ValueError as error:
        raise ConfigError(f"{pattern}: the braces do not match.") from error
    if len(names) > MAX_SHARDS:
        raise ConfigError(f"{pattern}: names more than {MAX_SHARDS} shards.")
    return names
