"""What every benchmark's dataset does: shards for folders, clips kept between questions, every modality in a sample."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import webdataset
from omegaconf import OmegaConf
from PIL import Image

from lavis.common.errors import ModalityError
from lavis.datasets.builders.nextqa_builder import NextQABuilder
from lavis.datasets.check import check_benchmark
from lavis.datasets.datasets.nextqa_dataset import NExTQADataset
from lavis.datasets.loaders.frames import FramesLoader
from lavis.processors import load_processor

HEADER = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"


def picture(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), level, np.uint8)).save(file, "png")
    return file.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos with two questions each; frame k of video v has the grey 20 v + k."""
    rows = [f"{video},9,9,9,what,0,{qid},CH,a,b,c,d,e\n" for qid in (0, 1) for video in (1, 2)]
    (tmp_path / "val.csv").write_text("".join([HEADER, *rows]))
    return tmp_path


def write_folders(root: Path) -> None:
    for video in (1, 2):
        (root / "frames" / str(video)).mkdir(parents=True)
        for number in range(1, 10):
            (root / "frames" / str(video) / f"{number:05d}.png").write_bytes(picture(20 * video + number))


def write_shards(root: Path) -> None:
    for video in (1, 2):
        with webdataset.TarWriter(str(root / f"frames-{video:06d}.tar")) as shard:
            for number in range(1, 10):
                shard.write({"__key__": f"{video}/{number:05d}", "png": picture(20 * video + number)})


def built(root: Path, **build_info: Any) -> NExTQADataset:
    config = OmegaConf.load(NextQABuilder.default_config_path()).datasets.nextqa
    changes = {"build_info": {"root": str(root), "annotations": {"val": {"storage": "val.csv"}}, **build_info}}
    data: NExTQADataset = NextQABuilder(OmegaConf.merge(config, changes)).build_datasets(splits=["val"])["val"]
    return data


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    reads: list[Path] = []
    decode = FramesLoader.decode

    def counting(self: FramesLoader, path: Path, *, media_id: str) -> Any:
        reads.append(path)
        return decode(self, path, media_id=media_id)

    monkeypatch.setattr(FramesLoader, "decode", counting)
    return reads


def test_a_medium_is_read_once_for_all_its_questions(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folders(root)
    reads = counted_reads(monkeypatch)
    data = built(root)
    samples = [data[index] for index in range(4)]
    assert len(reads) == 8, "four frames of two videos"
    assert (samples[0]["rgb"] == samples[2]["rgb"]).all() and not (samples[0]["rgb"] == samples[1]["rgb"]).all()


def test_what_is_done_to_a_sample_does_not_reach_the_next(root: Path) -> None:
    write_folders(root)
    data = built(root)
    before = data[0]["rgb"].clone()
    data[0]["rgb"].zero_()
    data[2]["rgb"].zero_()
    assert (data[0]["rgb"] == before).all()
    plain = NExTQADataset(ann_paths=[str(root / "val.csv")], modalities=["frame"], frame_root=str(root / "frames"))
    plain[0]["rgb"][:] = 0
    assert plain[0]["rgb"].any()


def test_no_cache_reads_every_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folders(root)
    reads = counted_reads(monkeypatch)
    data = built(root, kwargs={"clip_cache_mb": 0})
    assert [data[index]["question_id"] for index in (0, 2)] == ["CH_1_0", "CH_1_1"]
    assert len(reads) == 8


def test_tensors_of_a_medium_are_made_once_where_an_option_says_so(root: Path) -> None:
    write_folders(root)
    plain, keeping = built(root), built(root, kwargs={"tensor_cache_mb": 10})
    samples = [keeping[index] for index in range(4)]
    assert samples[2]["rgb"] is samples[0]["rgb"]
    assert samples[3]["rgb"] is samples[1]["rgb"] is not samples[0]["rgb"]
    for index, sample in enumerate(samples):
        expected = plain[index]
        assert (sample.pop("rgb") == expected.pop("rgb")).all()
        assert sample == expected
    assert plain[0]["rgb"] is not plain[2]["rgb"]


def test_tensors_are_not_kept_where_a_processor_draws_at_random(root: Path) -> None:
    write_folders(root)
    data = built(root, kwargs={"tensor_cache_mb": 10})
    data.processors["frame"] = load_processor("blip2_frames_train", OmegaConf.create({"image_size": 16}))
    assert data[0]["rgb"] is not data[2]["rgb"]


def test_the_modalities_of_a_training_sample_show_the_same_part(root: Path) -> None:
    """Frames and depth of the same ramp: what is cut out of one is cut out of the other."""
    for modality in ("frames", "depth"):
        folder = root / modality / "1"
        folder.mkdir(parents=True)
        for number in range(1, 10):
            ramp = np.broadcast_to(np.linspace(0, 255, 64).round().astype(np.uint8), (64, 64))
            if modality == "frames":
                Image.fromarray(np.repeat(ramp[..., None], 3, axis=2)).save(folder / f"{number:05d}.png")
            else:
                Image.fromarray(ramp.astype(np.uint16) * 10).save(folder / f"{number:05d}.png")
    plain = {"image_size": 16, "mean": [0, 0, 0], "std": [1, 1, 1]}
    roots = {"frame_root": str(root / "frames"), "depth_root": str(root / "depth")}
    data = NExTQADataset(ann_paths=[str(root / "val.csv")], modalities=["frame", "depth"], **roots)
    data.processors = {name: load_processor("blip2_frames_train", OmegaConf.create(plain)) for name in data.modalities}
    lefts = set()
    for seed in range(4):
        torch.manual_seed(seed)
        sample = data[0]
        assert torch.allclose(sample["rgb"], sample["depth"], atol=0.03)
        lefts.add(round(float(sample["rgb"][0, 0, 0, 0]), 2))
    assert len(lefts) > 1


@pytest.mark.parametrize(
    "storage", ["frames-{000001..000002}.tar", "frames-*.tar", "frames-000001.tar::frames-000002.tar"]
)
def test_shards_give_what_folders_give(root: Path, storage: str) -> None:
    write_folders(root)
    write_shards(root)
    folders, shards = built(root), built(root, frame={"storage": storage})
    assert shards.modalities == ("frame",)
    for index in range(4):
        assert (folders[index]["rgb"] == shards[index]["rgb"]).all()
    assert shards.question(0).media.fingerprint("frame") != shards.question(1).media.fingerprint("frame")


def test_a_pipe_is_a_shard_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(root / "cache"))
    write_folders(root)
    write_shards(root)
    piped = built(root, frame={"storage": f"pipe:cat {root}/frames-00000{{1,2}}.tar"})
    assert (piped[1]["rgb"] == built(root)[1]["rgb"]).all()


def test_the_check_counts_media_in_shards(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(root)
    (root / "frames-000002.tar").unlink()
    default = OmegaConf.load(NextQABuilder.default_config_path())
    default.datasets.nextqa.build_info.frame.storage = "frames-*.tar"
    OmegaConf.save(default, root / "nextqa.yaml")
    monkeypatch.setattr(NextQABuilder, "DATASET_CONFIG_DICT", {"default": str(root / "nextqa.yaml")})
    found = check_benchmark("nextqa", root, ["val"])["val"]
    assert (found.modalities["frame"].media, found.served) == (1, 2)


def test_a_missing_medium_names_its_question(root: Path) -> None:
    write_folders(root)
    for path in (root / "frames" / "2").iterdir():
        path.unlink()
    with pytest.raises(ModalityError, match=r"Question 2_0: .*frames/2"):
        built(root)[1]
