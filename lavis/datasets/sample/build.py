"""Making the sample of rooms on disk."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lavis.common.errors import LavisError
from lavis.common.paths import LIBRARY_ROOT, cache_root
from lavis.datasets.sample.annotations import write_annotations
from lavis.datasets.sample.choose import candidates, choose
from lavis.datasets.sample.once import build_once, write_version
from lavis.datasets.sample.photographs import photograph
from lavis.datasets.sample.plan import Room
from lavis.datasets.sample.rooms import PHOTO_SHOWS, all_rooms
from lavis.datasets.sample.views import View

MAX_PROCESSES = 4
log = logging.getLogger(__name__)


def sample_root() -> Path:
    """Return where the sample lies in this user's cache; it need not exist yet."""
    return cache_root() / "sample" / "sqa3d-v1"


def build_sample(root: Path | None = None) -> Path:
    """Make the sample under ``root`` unless this version of it is there, and return ``root``.

    Processes that ask at once wait for the first; an old version is replaced; a build that is killed
    leaves nothing under ``root``.

    Args:
        root: the folder to make; default: :func:`sample_root`.

    Raises:
        WeightsError: a photograph cannot be had.
        LavisError: a room could not be rendered, or another folder lies at ``root``; says which.
    """
    return build_once(root or sample_root(), sample_version(), _make)


@functools.lru_cache(maxsize=1)
def sample_version() -> str:
    """Return a digest of everything the sample is made from: this package's code and the convention of poses."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), here / "README.md", LIBRARY_ROOT / "datasets" / "pose.py"]
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _make(root: Path, version: str) -> None:
    rooms = all_rooms()
    log.info("Making the sample of %d rooms for %s; this takes about half a minute.", len(rooms), root.parent)
    for name in PHOTO_SHOWS:
        photograph(name)  # fetched here, so that the processes find it
    root.mkdir()
    with ThreadPoolExecutor(min(os.cpu_count() or 1, MAX_PROCESSES)) as pool:
        for _ in pool.map(lambda room: _record_in_process(room, root), rooms):
            pass
    asked = choose([candidates(room, read_views(root, room)) for room in rooms])
    write_annotations(root, asked)
    readme = Path(__file__).with_name("README.md")
    (root / "README.md").write_text(readme.read_text(encoding="utf-8"), encoding="utf-8")
    write_version(root, version, questions=len(asked), rooms=len(rooms))


def read_views(root: Path, room: Room) -> list[View]:
    """Return the measured frames of a room from its truth file."""
    truth = json.loads((root / "truth" / f"{room.scene_id}.json").read_text(encoding="utf-8"))
    return [View.from_json(view) for view in truth["views"]]


def _record_in_process(room: Room, root: Path) -> None:
    # A process of its own: it needs no __main__ guard of the caller and takes none of its threads or locks along.
    path = os.pathsep.join([str(LIBRARY_ROOT.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "lavis.datasets.sample", "--room", room.scene_id, "--root", str(root)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LavisError(f"The sample's room {room.scene_id} could not be rendered: {last}")
