"""Two starts of a run must agree on what it is, and may differ in how it is reached."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lavis.common.errors import ConfigError
from lavis.runners.run_folder import open_run_folder

CONFIG: dict[str, Any] = {
    "model": {"selector": {"type": "rules"}, "reasoner": {"type": "openai", "base_url": "http://a", "model": "m"}},
    "datasets": {"sqa3d": {"type": "default"}},
    "run": {"task": "mexa_qa", "limit": 5},
}


def changed(*path: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    node = config
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return config


def test_a_run_opened_again_keeps_its_marker_and_forgets_who_was_done(tmp_path: Path) -> None:
    first = open_run_folder(tmp_path, "one", CONFIG)
    first.done(0).write_text("")
    first.failed(1).write_text("why")
    again = open_run_folder(tmp_path, "one", CONFIG)
    assert again.marker == first.marker
    assert not first.done(0).exists()
    assert not first.failed(1).exists()
    assert open_run_folder(tmp_path, "two", CONFIG).marker != first.marker


@pytest.mark.parametrize(
    "config",
    [
        changed("run", "limit", value=None),
        changed("model", "reasoner", "base_url", value="http://b"),
        changed("model", "reasoner", "max_connections", value=64),
    ],
)
def test_reach_and_size_may_change(tmp_path: Path, config: dict[str, Any]) -> None:
    open_run_folder(tmp_path, "one", CONFIG)
    open_run_folder(tmp_path, "one", config)


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (changed("model", "selector", "type", value="all"), "model.selector.type"),
        (changed("model", "reasoner", "model", value="n"), "model.reasoner.model"),
        (changed("datasets", "sqa3d", "type", value="sample"), "datasets.sqa3d.type"),
        (changed("run", "task", value="other"), "task"),
    ],
)
def test_what_decides_answers_may_not(tmp_path: Path, config: dict[str, Any], place: str) -> None:
    open_run_folder(tmp_path, "one", CONFIG)
    with pytest.raises(ConfigError, match=place):
        open_run_folder(tmp_path, "one", config)


@pytest.mark.parametrize("run_id", ["../up", "a/b", "", ".hidden", "a b"])
def test_a_run_id_is_a_folder_name(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ConfigError, match="folder name"):
        open_run_folder(tmp_path / "out", run_id, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_the_kept_configuration_hides_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "sk-0123456789abc")
    folder = open_run_folder(tmp_path, "one", changed("model", "reasoner", "extra", value="sk-0123456789abc"))
    text = (folder.root / "config.yaml").read_text()
    assert "sk-0123456789abc" not in text
    assert yaml.safe_load(text)["run"]["limit"] == 5
