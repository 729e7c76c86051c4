"""Ranks on one machine share its cores."""

from __future__ import annotations

import pytest

from lavis.common.cores import usable_cores


def test_ranks_on_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    alone = usable_cores()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")

    assert alone >= 1
    assert usable_cores() == 1
