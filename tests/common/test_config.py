"""Configuration: the order of merging, both styles of options, and an error for what nothing reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml

from lavis.common.config import Config, node_to_dict
from lavis.common.config_options import parse_options
from lavis.common.errors import ConfigError

RUN: dict[str, Any] = {"task": "mexa_qa", "output_dir": "output"}
MODEL: dict[str, Any] = {"arch": "mexa_aggregator", "model_type": "default", "reasoner": {"type": "scripted"}}

PLUGIN = """
from pathlib import Path
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import BaseDatasetBuilder
from lavis.models.base_model import BaseModel
from lavis.tasks.base_task import BaseTask

HERE = Path(__file__).parent


@registry.register_model("conf_toy")
class ConfToy(BaseModel):
    PRETRAINED_MODEL_CONFIG_DICT = {"base": str(HERE / "base.yaml"), "big": str(HERE / "big.yaml")}

    @classmethod
    def from_config(cls, cfg):
        cls.width = cfg.get("width", 1), cfg.get("read_late", 2)


@registry.register_builder("conf_toy_ds")
class ConfToyBuilder(BaseDatasetBuilder):
    DATASET_CONFIG_DICT = {"default": str(HERE / "ds.yaml"), "other": str(HERE / "ds_other.yaml")}


@registry.register_task("conf_toy_task")
class ConfToyTask(BaseTask):
    def valid_step(self, model, samples):
        return self.cfg.run_cfg.get("beam_width", 3)
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("toy")
    (tmp_path / "conf_toy_plugin.py").write_text(PLUGIN)
    for name, width in (("base", 10), ("big", 99)):
        content = {"model": {"arch": "conf_toy", "width": width, "depth": 1}, "preprocess": {"vis_processor": name}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    for name, storage in (("ds", "/a"), ("ds_other", "/b")):
        node = {"data_type": "images", "build_info": {"images": {"storage": storage}, "annotations": {}}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({"datasets": {"conf_toy_ds": node}}))
    return tmp_path


def toy_config(folder: Path, *options: str, model: dict[str, Any] | None = None, **top: Any) -> Config:
    content = {
        "model": {"arch": "conf_toy", "model_type": "base", **(model or {})},
        "datasets": {"conf_toy_ds": None},
        "run": {"task": "conf_toy_task", "output_dir": "o", "plugins": ["conf_toy_plugin.py"]},
        **top,
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(content))
    return Config(argparse.Namespace(cfg_path=str(path), options=list(options)))


def load(tmp_path: Path, content: Any, *options: str) -> Config:
    path = tmp_path / "run.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return Config(argparse.Namespace(cfg_path=str(path), options=list(options)))


def test_defaults_lie_below_the_file_and_options_above_it(toy: Path) -> None:
    config = toy_config(toy, "model.depth=7", model={"width": 20, "depth": 5})
    assert (config.model_cfg.width, config.model_cfg.depth) == (20, 7)
    assert config.datasets_cfg.conf_toy_ds.build_info.images.storage == "/a"
    assert config.run_cfg.task == "conf_toy_task"
    assert config.get_config().preprocess.vis_processor == "base"


def test_options_choose_which_defaults_are_loaded(toy: Path) -> None:
    config = toy_config(toy, "model.model_type=big", "datasets.conf_toy_ds.type=other")
    assert config.model_cfg.width == 99
    assert config.config.preprocess.vis_processor == "big"
    assert config.datasets_cfg.conf_toy_ds.build_info.images.storage == "/b"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run.a=1", "model.b=x"], {"run": {"a": 1}, "model": {"b": "x"}}),
        (["run.a", "1", "model.b", "x"], {"run": {"a": 1}, "model": {"b": "x"}}),
        (["run.a=1", "model.es_temperature", "1.8"], {"run": {"a": 1}, "model": {"es_temperature": 1.8}}),
        (["run.l=[a,b]", "run.m={c: 1}"], {"run": {"l": ["a", "b"], "m": {"c": 1}}}),
        (["run.url=http://h/?q=1"], {"run": {"url": "http://h/?q=1"}}),
        (["run.url", "http://h/?q=1"], {"run": {"url": "http://h/?q=1"}}),
        (["run.n=null", "run.f=1e-4", "run.t=true"], {"run": {"n": None, "f": 1e-4, "t": True}}),
        ([], {}),
    ],
)
def test_both_styles_of_options_and_their_mixture(words: list[str], expected: dict[str, Any]) -> None:
    assert node_to_dict(parse_options(words)) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run.a"], r"'run\.a' has no value"),
        (["run.a", "run.b=1"], r"'run\.a' has no value"),
        (["runn.a=1"], r"begin with run\..*'run'"),
        (["limit=1"], "begin with run"),
        (["run=1"], "begin with run"),
        (["run.a=[1,"], "--options"),
    ],
)
def test_options_that_mean_nothing_are_errors(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_options(words)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": MODEL, "datasets": {"sqa3d": None}}, "run is missing"),
        ({"run": RUN, "datasets": {"sqa3d": None}}, "model is missing"),
        ({"run": RUN, "model": MODEL}, "datasets is missing"),
        ({"run": RUN, "model": {**MODEL, "arch": "mexa_agregator"}, "datasets": {"sqa3d": None}}, "'mexa_aggregator'"),
        ({"run": RUN, "model": {"arch": "mexa_aggregator"}, "datasets": {"sqa3d": None}}, "has default"),
        ({"run": RUN, "model": {**MODEL, "model_type": "defalt"}, "datasets": {"sqa3d": None}}, "'default'"),
        ({"run": RUN, "model": MODEL, "datasets": {"sqa3": None}}, "'sqa3d'"),
        ({"run": RUN, "model": MODEL, "datasets": {"sqa3d": {"type": "smaple"}}}, "'sample'"),
        ({"run": RUN, "model": MODEL, "datasets": {"sqa3d": {"data_tpye": []}}}, r"sqa3d\.data_tpye.*'data_type'"),
        (
            {"run": RUN, "model": MODEL, "datasets": {"sqa3d": {"build_info": {"fram": 1}}}},
            r"build_info\.fram.*'frame'",
        ),
        ({"run": {**RUN, "task": "mexa_q"}, "model": MODEL, "datasets": {"sqa3d": None}}, "'mexa_qa'"),
        ({"run": {**RUN, "limt": 3}, "model": MODEL, "datasets": {"sqa3d": None}}, r"run\.limt.*'limit'"),
        ({"run": {**RUN, "runner": "runner_q"}, "model": MODEL, "datasets": {"sqa3d": None}}, "'runner_qa'"),
        ({"run": RUN, "model": {**MODEL, "selectr": {}}, "datasets": {"sqa3d": None}}, r"model\.selectr.*'selector'"),
        ({"run": RUN, "model": MODEL, "datasets": {"sqa3d": None}, "modle": {}}, r"modle: nothing reads"),
        ("run: [", "no YAML"),
        ("- 1", "mapping"),
    ],
)
def test_what_cannot_run_says_what_is_wrong_and_what_is_near(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, content)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        Config(argparse.Namespace(cfg_path=str(tmp_path / "gone.yaml"), options=None))


def test_keys_of_a_plug_in_count_when_its_source_reads_them(toy: Path) -> None:
    assert toy_config(toy, "model.read_late=5", "run.beam_width=9").run_cfg.beam_width == 9
    with pytest.raises(ConfigError, match=r"model\.widht.*'width'"):
        toy_config(toy, "model.widht=5")
    with pytest.raises(ConfigError, match=r"run\.max_epocs.*'max_epoch'"):
        toy_config(toy, "run.max_epocs=3")


def test_plug_ins_are_found_beside_the_configuration_and_named_when_they_fail(toy: Path) -> None:
    run = {"task": "conf_toy_task", "output_dir": "o"}
    with pytest.raises(ConfigError, match=r"nobody\.py"):
        toy_config(toy, run={**run, "plugins": ["nobody.py"]})
    with pytest.raises(ConfigError, match="no_such_module_anywhere"):
        toy_config(toy, run={**run, "plugins": ["no_such_module_anywhere"]})
    (toy / "broken_plugin.py").write_text("raise ValueError('inside')\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match="ValueError: inside"):
            toy_config(toy, run={**run, "plugins": ["broken_plugin.py"]})


def test_environment_variables_are_read_and_secrets_do_not_print(
    toy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_PLACE", "/from/environment")
    monkeypatch.setenv("SOME_API_KEY", "sk-very-secret-value")
    options = ["model.width=${oc.env:MY_PLACE}", "model.depth=${oc.env:SOME_API_KEY}"]
    config = toy_config(toy, *options, "run.seed=${oc.env:NOT_SET_ANYWHERE,3}")
    assert (config.model_cfg.width, config.run_cfg.seed) == ("/from/environment", "3")
    with caplog.at_level("INFO"):
        config.pretty_print()
    assert "/from/environment" in caplog.text
    assert "sk-very-secret-value" not in caplog.text
    with pytest.raises(ConfigError, match="NOT_SET_ANYWHERE"):
        toy_config(toy, "run.seed=${oc.env:NOT_SET_ANYWHERE}")


@pytest.mark.parametrize("path", sorted((Path(__file__).resolve().parents[2] / "projects").rglob("*.yaml")), ids=str)
def test_every_project_file_is_valid(path: Path) -> None:
    config = Config(argparse.Namespace(cfg_path=str(path), options=None))
    assert config.run_cfg.task
    config.to_dict()
