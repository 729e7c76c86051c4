"""The folder that a run leaves, and what two starts of one run must agree on."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lavis.common.errors import ConfigError
from lavis.common.secrets import redact
from lavis.runners.lease import Lease
from lavis.store.entry_files import write_atomically

RUN_ID = re.compile(r"[\w][\w.+-]*")
# Where a reasoner is reached and how hard it is tried may change between two starts of a run.
FREE_REASONER_KEYS = (
    "base_url", "api_key_env", "max_connections", "start_connections", "timeout_s", "max_call_s", "max_attempts",
    "max_retry_s", "retry_base_s", "max_outage_s", "n_threads", "batch_size", "max_wait_s", "latency_s",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and the marker that fences its evidence."""

    root: Path
    marker: str

    @property
    def journal(self) -> Path:
        """Where the ranks' journals lie."""
        return self.root / "answers"

    @property
    def metrics(self) -> Path:
        """What the run scored."""
        return self.root / "metrics.json"

    def result(self, split: str) -> Path:
        """One row per question of a split, in the data set's order."""
        return self.root / "result" / f"{split}.json"

    def done(self, rank: int) -> Path:
        """Says that a rank finished its questions."""
        return self.journal / f"rank{rank}.done"

    def failed(self, rank: int) -> Path:
        """Says why a rank failed."""
        return self.journal / f"rank{rank}.failed"

    def stopped(self, rank: int) -> Path:
        """Says why a rank stopped before its end, to be resumed."""
        return self.journal / f"rank{rank}.stopped"

    def alive(self, rank: int) -> Path:
        """Renewed by a rank while it works."""
        return self.journal / f"rank{rank}.alive"

    @property
    def lease(self) -> Path:
        """Held by the start that runs."""
        return self.root / "running.json"


def open_run_folder(output_dir: Path, run_id: str, config: Mapping[str, Any]) -> tuple[RunFolder, Lease]:
    """Make the folder of a run, or open the one of a run to be resumed. For rank 0 alone.

    Returns:
        The folder, and the lease that keeps another start out of it until it is given back.

    Raises:
        ConfigError: the id is no folder name, the folder cannot be written, another start is running there,
            or the run was made with another model or data set.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError(f"run.run_id {run_id!r} is no folder name: use letters, digits, '.', '_', '+', '-'.")
    folder = RunFolder(output_dir / run_id, "")
    try:
        folder.journal.mkdir(parents=True, exist_ok=True)
        lease = Lease(folder.lease)
    except OSError as error:
        raise ConfigError(
            f"{folder.root} cannot be written ({error.strerror}): set run.output_dir to a folder that can."
        ) from error
    try:
        opened = _open(folder.root, config)
    except BaseException:
        lease.give_back()
        raise
    for state in ("done", "failed", "stopped", "alive"):
        for path in folder.journal.glob(f"rank*.{state}"):
            path.unlink()
    return opened, lease


def _open(root: Path, config: Mapping[str, Any]) -> RunFolder:
    state_path, config_path = root / "state.json", root / "config.yaml"
    clean = redact(dict(config))
    if state_path.exists():
        _refuse_another_run(yaml.safe_load(config_path.read_text(encoding="utf-8")), clean, root)
        marker = json.loads(state_path.read_text(encoding="utf-8"))["marker"]
    else:
        marker = secrets.token_hex(4)
        write_atomically(config_path, yaml.safe_dump(clean, sort_keys=False, allow_unicode=True))
        write_atomically(state_path, json.dumps({"marker": marker}))
    return RunFolder(root, marker)


def _refuse_another_run(before: Mapping[str, Any], now: Mapping[str, Any], root: Path) -> None:
    different = sorted(_differences(_decisive(before), _decisive(now)))
    if different:
        raise ConfigError(
            f"{root} was made with another configuration ({', '.join(different[:5])} differ). "
            "Choose another run.run_id, or start with the configuration in its config.yaml."
        )


def _decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    model = _without_reach(dict(config.get("model") or {}))
    model["selector"] = _without_reach(dict(model.get("selector") or {}))
    reading = {key: value for key, value in (model.get("reading") or {}).items() if key != "n_workers"}
    model = {**model, "reading": reading}
    model.pop("prices_usd_per_mtok", None)
    return {"model": model, "datasets": config.get("datasets"), "task": (config.get("run") or {}).get("task")}


def _without_reach(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node without what only says how its reasoner is reached."""
    reasoner = node.get("reasoner")
    if not isinstance(reasoner, dict):
        return node
    return {**node, "reasoner": {key: value for key, value in reasoner.items() if key not in FREE_REASONER_KEYS}}


def _differences(before: Any, now: Any, where: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = {*before, *now}
        return [
            name
            for key in keys
            for name in _differences(before.get(key), now.get(key), f"{where}.{key}" if where else str(key))
        ]
    return [] if before == now else [where]
