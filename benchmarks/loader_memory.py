"""Memory of 8 DataLoader workers over 2,000 media: proportional set size of all of them, as they go.

Usage: python benchmarks/loader_memory.py [media] [workers]
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from lavis.datasets.datasets.nextqa_dataset import NExTQADataset
from lavis.processors import load_processor

N_FRAMES, FILES, SIDE_PX = 4, 6, 256
HEADER = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"


def write(root: Path, n_media: int) -> None:
    noise = np.random.default_rng(0)
    pictures = [Image.fromarray(noise.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)) for _ in range(FILES)]
    rows = [HEADER]
    for medium in range(n_media):
        folder = root / "frames" / str(medium)
        folder.mkdir(parents=True)
        for number, picture in enumerate(pictures, 1):
            if medium == 0:
                picture.save(folder / f"{number}.jpg")
            else:
                (folder / f"{number}.jpg").hardlink_to(root / "frames" / "0" / f"{number}.jpg")
        rows.append(f"{medium},6,9,9,what,0,0,CH,a,b,c,d,e\n")
    (root / "val.csv").write_text("".join(rows))


def workers_mb() -> float:
    """Anonymous memory of the workers, shared pages counted once; batches on their way (in shared memory) are not."""
    total_kb = 0
    for child in psutil.Process().children(recursive=True):
        try:
            lines = Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
    return total_kb * 1024 / 1e6


class Zeros:
    """A data set that reads nothing and gives samples of the same size: what the DataLoader itself costs."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> dict[str, Any]:
        import torch

        return {"rgb": torch.zeros(N_FRAMES, 3, 224, 224), "question_id": str(index)}


def course(data: Any, n_workers: int, collate: Any = None) -> list[tuple[int, float]]:
    """Return (media seen, MB of all workers) over one pass."""
    from torch.utils.data import DataLoader

    marks = [len(data) // 10 * tenth for tenth in (1, 2, 4, 6, 8, 10)]
    seen, found = 0, []
    for batch in DataLoader(data, batch_size=8, num_workers=n_workers, collate_fn=collate):
        seen += len(batch["question_id"])
        if marks and seen >= marks[0]:
            marks.pop(0)
            found.append((seen, workers_mb()))
    return found


def main() -> None:
    n_media = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    n_workers = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, n_media)
        data = NExTQADataset(
            ann_paths=[str(root / "val.csv")],
            modalities=["frame"],
            frame_root=str(root / "frames"),
            frame_processor=load_processor("blip_frames_eval"),
            n_frames=N_FRAMES,
        )
        print(f"{n_workers} workers, {n_media} media, {N_FRAMES} frames each; MB of all workers\n")
        print("| media | data set | zeros of the same size |\n|---|---|---|")
        ours, bare = course(data, n_workers, data.collater), course(Zeros(n_media), n_workers)
        for (seen, mb), (_, bare_mb) in zip(ours, bare, strict=True):
            print(f"| {seen} | {mb:.0f} | {bare_mb:.0f} |")
        grown, bare_grown = (course[-1][1] - course[0][1] for course in (ours, bare))
        print(f"\ngrowth from the first mark to the last: {grown:.0f} MB, of the DataLoader itself {bare_grown:.0f} MB")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
