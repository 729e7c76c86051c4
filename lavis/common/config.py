"""The configuration: defaults, a file and options, merged in LAVIS's order and checked key by key."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lavis.common.config_keys import (
    MODEL_KEYS,
    RUN_KEYS,
    TOP_KEYS,
    check_dataset_node,
    check_keys,
    declared_keys,
    undeclared,
)
from lavis.common.config_options import merge_options, parse_options
from lavis.common.errors import ConfigError
from lavis.common.plugins import import_plugins
from lavis.common.registry import registry
from lavis.common.secrets import name_secret, redact

logger = logging.getLogger(__name__)


class Config:
    """What a run is.

    Merged from low to high: the model type's default YAML, the file's ``model``; each data set's
    default YAML (chosen by its ``type``), the file's ``datasets.<name>``; the file's ``run``; then
    ``--options`` over all, which also decide which defaults are loaded.

    Args:
        args: ``cfg_path`` and ``options`` are read.

    Raises:
        ConfigError: the file is absent or no YAML, a part is missing, a name is unknown, or a key is
            one that nothing reads; names the nearest known one.
    """

    def __init__(self, args: Any) -> None:
        self.args = args
        self.path = Path(args.cfg_path)
        options = parse_options(getattr(args, "options", None))
        user = merge_options(load_yaml(self.path), options)
        check_keys(user, TOP_KEYS, "")
        for name in sorted(TOP_KEYS):
            if user.get(name) is not None and not OmegaConf.is_dict(user[name]):
                raise ConfigError(f"{self.path}: {name} must be a mapping, not {user[name]!r}.")
        if user.get("run") is None:
            raise ConfigError(f"{self.path}: run is missing; write run: {{task: …, output_dir: …}}.")
        plugins = user.run.get("plugins") or []
        import_plugins([plugins] if isinstance(plugins, str) else plugins, self.path.resolve().parent)
        self.config: Any = OmegaConf.merge(
            self.build_runner_config(user), self.build_model_config(user), self.build_dataset_config(user)
        )
        try:
            plain = OmegaConf.to_container(self.config, resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError(f"{self.path}: {error}") from error
        assert isinstance(plain, dict)  # noqa: S101 - merged from mappings
        self._check_run(plain)
        _name_secrets(plain)
        registry.register("configuration", self.config)

    # -- the parts -----------------------------------------------------------------------------

    @staticmethod
    def build_runner_config(config: Any) -> Any:
        """Return ``{run: …}``."""
        return OmegaConf.create({"run": config.run})

    @staticmethod
    def build_model_config(config: Any, **kwargs: Any) -> Any:
        """Return ``{model: …}`` over its type's defaults, with their further top-level keys.

        Raises:
            ConfigError: no model, an unknown arch or type, or a key that nothing reads.
        """
        model = config.get("model")
        if model is None:
            raise ConfigError("model is missing; write model: {arch: …, model_type: …}.")
        if not model.get("arch"):
            raise ConfigError(f"model.arch is missing; known: {', '.join(registry.list_models())}.")
        cls = registry.require("model", model.arch)
        if not model.get("model_type"):
            known = ", ".join(cls.PRETRAINED_MODEL_CONFIG_DICT) or "none"
            raise ConfigError(f"model.model_type is missing; {model.arch} has {known}.")
        defaults = load_yaml(Path(cls.default_config_path(model.model_type)))
        merged = OmegaConf.merge(defaults, {"model": model}, {"model": kwargs} if kwargs else {})
        known_keys = MODEL_KEYS | set(defaults.get("model") or {}) | declared_keys(cls)
        check_keys(model, known_keys, "model", source_of=undeclared(cls))
        _validate(cls, merged.model)
        return merged

    @staticmethod
    def build_dataset_config(config: Any) -> Any:
        """Return ``{datasets: …}``, each over the defaults of its type.

        Raises:
            ConfigError: no data set, an unknown name or type, or a key that nothing reads.
        """
        nodes = config.get("datasets")
        if not nodes:
            raise ConfigError("datasets is missing; write datasets: {<name>: {type: default}}.")
        merged = OmegaConf.create()
        for name, given in nodes.items():
            node = OmegaConf.create() if given is None else given
            if not OmegaConf.is_dict(node):
                raise ConfigError(f"datasets.{name} must be a mapping, not {node!r}; write {name}: {{type: default}}.")
            builder = registry.require("builder", name)
            defaults = load_yaml(Path(builder.default_config_path(node.get("type") or "default")))
            known = (defaults.get("datasets") or {}).get(name) or {}
            # A file may describe several data sets; the others are not asked for.
            own = OmegaConf.create({"datasets": {name: known}}) if known else defaults
            whole = OmegaConf.merge(own, {"datasets": {name: node}})
            check_dataset_node(str(name), whole.datasets[name], known, builder)
            _validate(builder, whole.datasets[name])
            merged = OmegaConf.merge(merged, whole)
        return merged

    def _check_run(self, plain: dict[str, Any]) -> None:
        run = plain["run"]
        classes = [registry.require("task", run["task"])] if run.get("task") else []
        if run.get("lr_sched"):
            registry.require("lr_scheduler", run["lr_sched"])
        name = run.get("runner") or getattr(classes[0] if classes else None, "default_runner", "runner_base")
        classes.append(registry.require("runner", name))
        known = RUN_KEYS.union(*(declared_keys(cls) for cls in classes))
        check_keys(run, known, "run", source_of=[other for cls in classes for other in undeclared(cls)])

    # -- reading -------------------------------------------------------------------------------

    def get_config(self) -> Any:
        """Return the whole configuration."""
        return self.config

    @property
    def run_cfg(self) -> Any:
        """The ``run`` node."""
        return self.config.run

    @property
    def datasets_cfg(self) -> Any:
        """The ``datasets`` node."""
        return self.config.datasets

    @property
    def model_cfg(self) -> Any:
        """The ``model`` node."""
        return self.config.model

    def to_dict(self) -> Any:
        """Return the whole configuration as plain data, resolved."""
        return OmegaConf.to_container(self.config, resolve=True)

    def pretty_print(self) -> None:
        """Log the configuration, secrets hidden."""
        logger.info("configuration:\n%s", json.dumps(redact(self.to_dict()), indent=2, ensure_ascii=False, default=str))


def load_yaml(path: Path) -> Any:
    """Read a YAML file as a configuration.

    Raises:
        ConfigError: it is absent, no YAML, or no mapping.
    """
    try:
        loaded = OmegaConf.load(path)
    except OSError as error:
        raise ConfigError(f"{path}: there is no such configuration file ({error.strerror}).") from error
    except (yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {error}") from error
    if not OmegaConf.is_dict(loaded):
        raise ConfigError(f"{path} is no configuration: it must be a mapping with run, model and datasets.")
    return loaded


def node_to_dict(node: Any) -> Any:
    """Return a node as plain data."""
    return OmegaConf.to_container(node)


def _name_secrets(node: Any) -> None:
    """Treat the variable of every ``api_key_env`` as a secret, wherever it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("api_key_env"), str):
            name_secret(node["api_key_env"])
        for value in node.values():
            _name_secrets(value)
    elif isinstance(node, list):
        for value in node:
            _name_secrets(value)


def _validate(cls: Any, node: Any) -> None:
    """Let a class check its own node, where it offers to."""
    check = getattr(cls, "validate_config", None)
    if check is not None:
        check(node)
