"""Tasks: what a run does with its model and data, and how the outcome is scored."""

from __future__ import annotations

from typing import Any

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.tasks.base_task import BaseTask

__all__ = ["BaseTask", "setup_task"]


def setup_task(cfg: Any) -> BaseTask:
    """Build the task that ``run.task`` names.

    Raises:
        ConfigError: ``run.task`` is missing, or nothing is registered under it.
    """
    name = cfg.run_cfg.get("task")
    if not name:
        raise ConfigError(f"Task name must be provided: set run.task to one of {', '.join(registry.list_tasks())}.")
    task: BaseTask = registry.require("task", name).setup_task(cfg=cfg)
    return task
