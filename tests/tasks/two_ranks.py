"""Started by test_two_ranks.py as each of two ranks; rank 0 writes what happened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from lavis.common.dist_utils import get_rank, init_distributed_mode, leave_group
from lavis.tasks import BaseTask


class Weight(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def forward(self, samples: dict[str, Any]) -> dict[str, Any]:
        return {"loss": (self.w * samples["x"]).sum()}


def main(folder: Path) -> None:
    init_distributed_mode(SimpleNamespace(device="cpu", dist_url="env://"))
    rank = get_rank()

    # A stream of 3 batches beside one of 5: both ranks must stop after 3.
    model = torch.nn.parallel.DistributedDataParallel(Weight())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = SimpleNamespace(step=lambda cur_epoch, cur_step: None)
    stream = ({"x": torch.tensor([1.0 + 2 * rank])} for _ in range(3 + 2 * rank))
    BaseTask().train_epoch(0, model, stream, optimizer, schedule)

    # Rank 0 has 0, 2, 4, rank 1 has 1, 3 and, as padding, 0 again.
    ids = [0, 2, 4] if rank == 0 else [1, 3, 0]
    rows = [{"instance_id": str(number), "rank": rank} for number in ids]
    path = BaseTask.save_result(rows, str(folder), "val", remove_duplicate="instance_id")
    assert Path(path).is_file()

    if rank == 1:
        (folder / "outcome.json").write_text(json.dumps({"w": model.module.w.item()}))
    leave_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
