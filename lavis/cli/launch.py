"""What train.py and evaluate.py share: from a command line to a runner that runs."""

from __future__ import annotations

import argparse
import os
import random
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from lavis.common.errors import LavisError, RunStoppedError
from lavis.common.secrets import redact

FAILED, NOT_POSSIBLE = 1, 2
# sysexits' EX_TEMPFAIL: the same command may succeed later.
STOPPED = 75


def parse_arguments(arguments: Sequence[str] | None, description: str) -> argparse.Namespace:
    """Read ``--cfg-path FILE [--options a.b=v …]``."""
    parser = argparse.ArgumentParser(description=description)
    return read_options(parser, arguments)


def read_options(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Let a parser read ``--cfg-path FILE [--options a.b=v …]`` beside its own words."""
    parser.add_argument("--cfg-path", required=True, action="append", metavar="FILE", help="the run's YAML")
    parser.add_argument(
        "--options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="values over the file's: run.limit=50 model.reasoner.type=openai …",
    )
    options = parser.parse_args(arguments)
    options.cfg_path = _only(options.cfg_path, parser)
    return options


def _only(paths: list[str], parser: argparse.ArgumentParser) -> str:
    if len(paths) > 1:
        parser.error(f"--cfg-path is given {len(paths)} times: {', '.join(paths)}")
    return paths[0]


def main(
    arguments: Sequence[str] | None, *, description: str, run: Callable[[Any], Any], evaluate: bool = False
) -> int:
    """Start a run and return its exit status, see :func:`status_of`.

    Args:
        arguments: the command line without the program's name.
        description: what ``--help`` says.
        run: what to do with the runner.
        evaluate: nothing is trained, so that training splits need not exist.
    """
    options = parse_arguments(arguments, description)
    if evaluate:
        options.options.append("run.evaluate=true")
    return status_of(lambda: run(build_runner(options)))


def status_of(work: Callable[[], Any]) -> int:
    """Do the work of a command, say on stderr what ended it, and return the exit status.

    0: done. 2: not possible as configured. 75: stopped on purpose, to be resumed. 1: anything else.
    """
    try:
        work()
    except RunStoppedError as error:
        sys.stderr.write(redact(f"Stopped: {error}\n"))
        return STOPPED
    except LavisError as error:
        if os.environ.get("LAVIS_DEBUG") == "1":
            sys.stderr.write(redact(traceback.format_exc()))
        sys.stderr.write(redact(f"{type(error).__name__}: {error}\n"))
        return NOT_POSSIBLE
    except Exception:
        sys.stderr.write(redact(traceback.format_exc()))
        return FAILED
    finally:
        from lavis.common.dist_utils import leave_group

        leave_group()
    return 0


def build_runner(options: argparse.Namespace, *, change: Callable[[Any], None] | None = None) -> Any:
    """Build configuration, group, task, data sets, model and runner, in this order.

    Args:
        options: ``cfg_path`` and ``options``.
        change: called with the configuration before anything is built from it.
    """
    from lavis import tasks
    from lavis.common.config import Config
    from lavis.common.dist_utils import broadcast_object, get_rank, init_distributed_mode
    from lavis.common.logger import setup_logger
    from lavis.common.registry import registry

    job_id = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    config = Config(options)
    if change is not None:
        change(config.config)
    init_distributed_mode(config.run_cfg)
    job_id = broadcast_object(job_id)
    seed_everything(int(config.run_cfg.get("seed") or 0) + get_rank())
    setup_logger()
    if get_rank() == 0:
        config.pretty_print()
    task = tasks.setup_task(config)
    datasets = task.build_datasets(config)
    model = task.build_model(config)
    runner = registry.require("runner", config.run_cfg.get("runner") or task.default_runner)
    return runner(cfg=config, job_id=job_id, task=task, model=model, datasets=datasets)


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch, and ask cuDNN for repeatable kernels."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
