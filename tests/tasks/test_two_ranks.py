"""What tasks do together: two real processes with gloo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lavis.common.errors import LavisError
from lavis.tasks.results import merge_ranks

SCRIPT = Path(__file__).with_name("two_ranks.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    found = tmp_path_factory.mktemp("two_ranks")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(SCRIPT), str(found)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repo_root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return found


def test_streams_of_different_length_end_together(folder: Path) -> None:
    """The gradient is the mean of 1 and 3; after 3 steps the weight is -6 on the rank that had 5 batches, too."""
    assert json.loads((folder / "outcome.json").read_text()) == {"w": -6.0}


def test_rows_of_all_ranks_are_merged_once_each_in_the_data_sets_order(folder: Path) -> None:
    rows = json.loads((folder / "val.json").read_text())
    assert [row["instance_id"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["rank"] for row in rows] == [0, 1, 0, 1, 0]  # the first of two equal rows stays


def test_a_rank_that_wrote_elsewhere_is_named(folder: Path) -> None:
    with pytest.raises(LavisError, match=r"val_rank2\.json is missing: rank 2"):
        merge_ranks(folder, "val", 3, "instance_id", "instance_id")
