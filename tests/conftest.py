"""What many tests share."""

from __future__ import annotations

from pathlib import Path

import hypothesis  # noqa: F401 - its plug-in imports it in the summary, too deep in the stack for Python 3.11.7
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real annotations and golden scores beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real benchmark data are absent: {folder} does not exist")
    return folder
