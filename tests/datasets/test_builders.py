"""Builders on real files: what is fetched, refreshed, refused, and handed to the data set classes."""

from __future__ import annotations

import hashlib
import http.server
import json
import logging
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError, UnknownNameError
from lavis.common.registry import registry
from lavis.datasets.builders import (
    BaseDatasetBuilder,
    MultiModalDatasetBuilder,
    dataset_zoo,
    load_dataset,
    load_dataset_config,
)
from lavis.datasets.datasets import BaseDataset
from lavis.processors import BaseProcessor
from lavis.processors.text_processors import BlipQuestionProcessor


class TrainData(BaseDataset):
    pass


class StrictData:
    """Written for LAVIS: takes no modality_type."""

    def __init__(self, vis_processor: Any, text_processor: Any, vis_root: Any, ann_paths: Any) -> None:
        self.arguments = (vis_processor, text_processor, vis_root, ann_paths)


class MultiData:
    def __init__(self, **kwargs: Any) -> None:
        self.arguments = kwargs


class Builder(BaseDatasetBuilder):
    train_dataset_cls = TrainData
    eval_dataset_cls = BaseDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/none.yaml"}


class MultiBuilder(MultiModalDatasetBuilder):
    train_dataset_cls = MultiData
    eval_dataset_cls = MultiData


def rows(path: Path, count: int) -> Path:
    path.write_text(json.dumps([{"n": number} for number in range(count)]), encoding="utf-8")
    return path


def node(tmp_path: Path, **annotations: Any) -> Any:
    return OmegaConf.create(
        {
            "data_type": "images",
            "build_info": {"annotations": annotations, "images": {"storage": str(tmp_path / "images")}},
        }
    )


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    before = registry.get_path("cache_root")
    registry.register_path("cache_root", str(tmp_path / "cache"), overwrite=True)
    yield tmp_path / "cache"
    del registry.mapping["paths"]["cache_root"]
    if before is not None:
        registry.register_path("cache_root", before)


# -- annotation files ----------------------------------------------------------------------------


def test_an_absolute_storage_without_url_is_read_where_it_lies(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.json", 3)
    before = sorted(os.listdir(tmp_path))

    built = Builder(node(tmp_path, train={"storage": str(path)}, val={"storage": [str(path)]})).build_datasets()

    assert {split: len(dataset) for split, dataset in built.items()} == {"train": 3, "val": 3}
    assert sorted(os.listdir(tmp_path)) == before


def test_an_edited_source_is_served_and_not_its_old_copy(tmp_path: Path, cache: Path) -> None:
    """LAVIS copies once: 8 rows in the source, 7 served."""
    source = rows(tmp_path / "a.json", 7)
    config = node(tmp_path, val={"url": str(source), "storage": "toy/a.json"})
    assert len(Builder(config).build_datasets()["val"]) == 7
    assert (cache / "toy" / "a.json").is_file()

    rows(source, 8)
    assert len(Builder(config).build_datasets()["val"]) == 8

    # An edit that keeps size and, on a coarse clock, even the time of the copy's making.
    stamp = source.stat()
    source.write_text(source.read_text().replace('"n": 1', '"n": 9'))
    os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
    assert Builder(config).build_datasets()["val"].annotation[1]["n"] == 9


def test_a_copy_outlives_its_source_with_a_warning(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = rows(tmp_path / "a.json", 2)
    config = node(tmp_path, val={"url": str(source), "storage": "a.json"})
    Builder(config).build_datasets()
    source.unlink()

    with caplog.at_level(logging.WARNING):
        assert len(Builder(config).build_datasets()["val"]) == 2
    assert "a.json" in caplog.text


def test_a_local_url_alone_is_read_in_place(tmp_path: Path, cache: Path) -> None:
    source = rows(tmp_path / "a.json", 2)
    assert len(Builder(node(tmp_path, val={"url": str(source)})).build_datasets()["val"]) == 2
    assert not cache.exists()


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_digests_are_checked(tmp_path: Path, kind: str) -> None:
    path = rows(tmp_path / "a.json", 2)
    right = hashlib.new(kind, path.read_bytes()).hexdigest()
    info = {"storage": str(path), kind: right.upper()}
    assert len(Builder(node(tmp_path, val=info)).build_datasets()["val"]) == 2

    rows(path, 3)
    with pytest.raises(ConfigError, match=rf"a\.json.*{kind}.*{right.upper()}"):
        Builder(node(tmp_path, val=info)).build_datasets()


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({}, r"annotations\.val\.storage is missing"),
        (None, r"annotations\.val\.storage is missing"),
        ({"url": "https://example.org/a.json"}, "url needs a storage"),
        ({"storage": ["a", "b"], "url": ["c"]}, "2 storage paths but 1 url"),
        ({"storage": "/nowhere/a.json"}, "/nowhere/a.json does not exist and there is no url"),
        ({"storage": "/nowhere/a.json", "url": "/nowhere/b.json"}, "/nowhere/b.json does not exist"),
    ],
)
def test_what_cannot_be_found_is_named_by_its_key(tmp_path: Path, info: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Builder(node(tmp_path, val=info)).build_datasets()


def test_a_folder_is_no_annotation_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder"):
        Builder(node(tmp_path, val={"storage": str(tmp_path)})).build_datasets()


def test_a_remote_file_is_fetched_once_and_again_when_its_digest_is_wrong(tmp_path: Path, cache: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    source = rows(served / "a.json", 4)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        info = {"url": f"http://127.0.0.1:{server.server_port}/a.json", "storage": "r/a.json", "sha256": digest}
        assert len(Builder(node(tmp_path, val=info)).build_datasets()["val"]) == 4

        (cache / "r" / "a.json").write_text("torn")
        assert len(Builder(node(tmp_path, val=info)).build_datasets()["val"]) == 4
        assert os.listdir(cache / "r") == ["a.json"]
        server.shutdown()
    assert len(Builder(node(tmp_path, val=info)).build_datasets()["val"]) == 4  # no server is needed any more


# -- splits --------------------------------------------------------------------------------------


def test_every_split_is_built_and_only_those_asked_for_are_touched(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.json", 2)
    config = node(
        tmp_path,
        train={"storage": "/nowhere/train.json"},
        small={"storage": str(path)},
        val_hard={"storage": str(path)},
    )

    built = Builder(config).build_datasets(splits=["val_hard", "small", "other"])
    assert list(built) == ["small", "val_hard"]
    assert type(built["val_hard"]) is BaseDataset

    roles = Builder(config).build_datasets(splits=["small", "val_hard"], train_splits=["small"])
    assert type(roles["small"]) is TrainData
    assert type(roles["val_hard"]) is BaseDataset

    with pytest.raises(ConfigError, match=r"/nowhere/train\.json"):
        Builder(config).build_datasets()


# -- arguments of the data set classes -------------------------------------------------------------


def test_classes_get_modality_type_only_if_they_take_it(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.json", 1)
    config = node(tmp_path, train={"storage": str(path)}, val={"storage": str(path)})
    config.modality_type = "rgb_depth"
    config.text_processor = {"train": {"name": "blip_caption"}, "eval": {"name": "blip_question", "max_words": 3}}
    builder = Builder(config)
    builder.eval_dataset_cls = StrictData  # type: ignore[misc]

    built = builder.build_datasets()

    assert built["train"].modality_type == "rgb_depth"
    vis, text, root, paths = built["val"].arguments
    assert type(vis) is BaseProcessor
    assert isinstance(text, BlipQuestionProcessor)
    assert text.max_words == 3
    assert root == str(tmp_path / "images")
    assert paths == [str(path)]


def test_a_processor_of_the_other_phase_is_missed_when_it_is_used(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.json", 1)
    config = node(tmp_path, val={"storage": str(path)})
    config.text_processor = {"train": {"name": "blip_caption"}}

    dataset = Builder(config).build_datasets()["val"]

    with pytest.raises(ConfigError, match=r"text_processor\.eval"):
        dataset.text_processor("x")


def test_extra_processors_are_built_by_name(tmp_path: Path) -> None:
    config = node(tmp_path, val={"storage": str(rows(tmp_path / "a.json", 1))})
    config.kw_processor = {"caption": {"name": "blip_caption", "prompt": "a "}}
    builder = Builder(config)
    builder.build_datasets()
    assert builder.kw_processors["caption"]("dog") == "a dog"

    config.kw_processor = {"caption": {"name": "blip_captoin"}}
    with pytest.raises(UnknownNameError, match="blip_caption"):
        Builder(config).build_datasets()


def test_missing_sections_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = node(tmp_path, val={"storage": str(rows(tmp_path / "a.json", 1))})
    with caplog.at_level(logging.WARNING):
        Builder(config).build_datasets()
    assert str(tmp_path / "images") in caplog.text

    wrong = OmegaConf.merge(config, {"data_type": "videos"})
    with pytest.raises(ConfigError, match=r"build_info\.videos is missing.*annotations, images"):
        Builder(wrong).build_datasets()
    several = OmegaConf.merge(config, {"data_type": ["images", "videos"]})
    with pytest.raises(ConfigError, match="MultiModalDatasetBuilder"):
        Builder(several).build_datasets()
    with pytest.raises(ConfigError, match="build_info is missing"):
        Builder({"data_type": "images"}).build_datasets()

    class Half(Builder):
        eval_dataset_cls = None

    with pytest.raises(ConfigError, match="Half sets no eval_dataset_cls"):
        Half(config).build_datasets()


# -- several modalities ------------------------------------------------------------------------------


def multi(tmp_path: Path, **more: Any) -> Any:
    path = rows(tmp_path / "a.json", 1)
    return OmegaConf.create(
        {
            "data_type": ["frame", "pc"],
            "frame_processor": {"train": {"name": "blip_caption"}, "eval": {"name": "blip_question"}},
            "build_info": {
                "annotations": {"train": {"storage": str(path)}, "val": {"storage": str(path)}},
                "frame": {"storage": str(tmp_path / "frames")},
                "pc": {"storage": "clouds"},
                "kwargs": {"n_points": 5},
            },
            **more,
        }
    )


def test_each_modality_has_its_processor_and_root(tmp_path: Path, cache: Path) -> None:
    built = MultiBuilder(multi(tmp_path)).build_datasets()

    arguments = built["val"].arguments
    assert arguments["ann_paths"] == [str(tmp_path / "a.json")]  # one path, not its characters
    assert arguments["modalities"] == ["frame", "pc"]
    assert arguments["frame_processor"]("A.") == "a"
    assert type(arguments["pc_processor"]) is BaseProcessor  # CREMA's default configuration omits it
    assert (arguments["frame_root"], arguments["pc_root"]) == (str(tmp_path / "frames"), str(cache / "clouds"))
    assert arguments["n_points"] == 5
    assert arguments["vis_processor"] is arguments["vis_root"] is None
    assert type(built["train"].arguments["frame_processor"]).__name__ == "BlipCaptionProcessor"


def test_one_modality_may_be_a_string_and_images_are_handed_over_as_vis(tmp_path: Path) -> None:
    config = multi(tmp_path, data_type="images", vis_processor={"eval": {"name": "blip_question"}})
    config.build_info.images = {"storage": str(tmp_path)}

    arguments = MultiBuilder(config).build_datasets(splits=["val"])["val"].arguments

    assert arguments["modalities"] == ["images"]
    assert arguments["vis_root"] == str(tmp_path)
    assert arguments["vis_processor"]("A.") == "a"


def test_a_modality_without_storage_is_named(tmp_path: Path) -> None:
    config = multi(tmp_path)
    del config.build_info.pc["storage"]
    with pytest.raises(ConfigError, match=r"build_info\.pc\.storage is missing"):
        MultiBuilder(config).build_datasets()
    del config.build_info["pc"]
    with pytest.raises(ConfigError, match=r"build_info\.pc is missing"):
        MultiBuilder(config).build_datasets()


def test_lavis_hooks_of_a_subclass_are_used(tmp_path: Path) -> None:
    class Hooked(MultiBuilder):
        def _download_multimodal(self, modality: str) -> None:
            self.fetched = [*getattr(self, "fetched", []), modality]

        def _get_dataset_args(self, is_train: bool) -> dict[str, Any]:
            return super()._get_dataset_args(is_train) | {"is_train": is_train}

    builder = Hooked(multi(tmp_path))
    built = builder.build_datasets()

    assert builder.fetched == ["frame", "pc"]
    assert [built[split].arguments["is_train"] for split in ("train", "val")] == [True, False]


# -- by name -----------------------------------------------------------------------------------------


@pytest.fixture
def toy_name(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "toy.yaml"
    config = node(tmp_path, val={"storage": str(rows(tmp_path / "a.json", 2))})
    OmegaConf.save(OmegaConf.create({"datasets": {"toy_builders_test": config}}), path)

    @registry.register_builder("toy_builders_test")
    class Toy(Builder):
        DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": str(path)}

    yield "toy_builders_test"
    del registry.mapping["builder_name_mapping"]["toy_builders_test"]


def test_a_data_set_is_loaded_by_name(toy_name: str, tmp_path: Path) -> None:
    assert len(load_dataset(toy_name)["val"]) == 2
    assert load_dataset(toy_name, vis_path="/elsewhere")["val"].vis_root == "/elsewhere"
    assert len(load_dataset(toy_name, cfg_path=str(tmp_path / "toy.yaml"))["val"]) == 2
    assert toy_name in dataset_zoo.get_names()  # registered after the zoo was imported
    assert dataset_zoo.dataset_zoo[toy_name] == ["default"]

    with pytest.raises(UnknownNameError, match=toy_name):
        load_dataset("toy_builder_test")
    with pytest.raises(ConfigError, match=r"'videos'.*images"):
        load_dataset(toy_name, vis_path="/elsewhere", data_type="videos")
    with pytest.raises(ConfigError, match="'defaul'"):
        registry.get_builder_class(toy_name).default_config_path("defaul")


def test_configuration_files_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_dataset_config(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("model: {}\n")
    with pytest.raises(ConfigError, match="no data set"):
        load_dataset_config(tmp_path / "empty.yaml")
