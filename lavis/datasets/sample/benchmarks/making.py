"""One sample on disk: its place in the cache, its version, its README."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from lavis.common.paths import cache_root
from lavis.datasets.sample.once import build_once, write_version

README = """# A sample in the format of {title}

Made by this project: pictures of public-domain and CC0 photographs (from scikit-image 0.26.0: `chelsea.png`,
`coffee.png`, `astronaut.png`) that move, sounds that are computed, and shapes that are drawn. It is **not** {title}:
scores on it say nothing about that benchmark.
"""


def make_sample(name: str, title: str, write: Callable[[Path], int]) -> Path:
    """Make a sample in the user's cache unless it is there, and return its folder.

    Args:
        name: of the benchmark.
        title: the benchmark's own name, for the README.
        write: (new folder) → writes annotations and media, returns the number of questions.
    """

    def make(root: Path, version: str) -> None:
        root.mkdir()
        n_questions = write(root)
        (root / "README.md").write_text(README.format(title=title), encoding="utf-8")
        write_version(root, version, questions=n_questions)

    return build_once(cache_root() / "sample" / name, _version(), make)


def _version() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()
