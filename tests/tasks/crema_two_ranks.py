"""A tiny CREMA run by torchrun or by itself: FOLDER JOB BATCH_SIZE TASK …"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crema_tiny import Config, MadeUp, run_keys, tiny

from lavis.common.dist_utils import init_distributed_mode, leave_group
from lavis.runners.runner_base import RunnerBase
from lavis.tasks.crema_qa import Asking, GQATask


def main(folder: str, job: str, batch_size: str, *tasks: str) -> None:
    torch.set_num_threads(1)
    config = Config(
        run_keys(
            Path(folder),
            max_epoch=3,
            batch_size_train=int(batch_size),
            valid_splits=["val"],
            find_unused_parameters=True,
            log_freq=1000,
        )
    )
    init_distributed_mode(config.run_cfg)
    for task in tasks:
        train(config, f"{job}_{task}", task)
    leave_group()


def train(config: Config, job: str, task: str) -> None:
    names = ["rgb", "depth"]
    model = tiny(modalities="rgb_depth", task=task, es_first_epoch=1, es_temperature=0.5)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    # An odd number: the ranks have not equally many to answer.
    data = {"train": MadeUp(32, names, "rgb", seed=1), "val": MadeUp(9, names, "rgb", seed=2)}
    RunnerBase(config, GQATask(Asking(inference_method="rank")), model, {"made_up": data}, job).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
