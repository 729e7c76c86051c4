"""Which configuration keys something reads, so that a key that nothing reads is an error."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from lavis.common.errors import ConfigError, nearest
from lavis.common.registry import registry

TOP_KEYS = frozenset({"run", "model", "datasets"})

# Read by the entry points, the runners and the tasks of LAVIS and CREMA.
RUN_KEYS = frozenset(
    """
    task runner plugins seed output_dir device distributed world_size dist_url evaluate
    train_splits valid_splits test_splits use_dist_eval_sampler find_unused_parameters
    batch_size_train batch_size_eval num_workers accum_grad_iters amp log_freq save_freq val_freq save_last
    lr_sched init_lr min_lr warmup_lr warmup_steps lr_decay_rate lr_layer_decay weight_decay beta2
    max_epoch max_iters iters_per_inner_epoch train_dataset_ratios resume_ckpt_path
    max_len min_len num_beams length_penalty inference_method num_ans_candidates prompt report_metric k_test
    """.split()
)
MODEL_KEYS = frozenset(
    "arch model_type load_finetuned finetuned load_pretrained pretrained checkpoint".split()
)  # fmt: skip
DATASET_KEYS = frozenset(
    """
    type data_type modality_type vis_processor text_processor kw_processor build_info dataset_card
    train_samples_portion
    """.split()
)  # fmt: skip
BUILD_INFO_KEYS = frozenset("annotations images videos features kwargs".split())
ANNOTATION_KEYS = frozenset("url storage md5 sha256".split())


def check_keys(given: Iterable[str], known: Iterable[str], where: str, *, source_of: Iterable[type] = ()) -> None:
    """Compare keys with those that are read.

    Args:
        given: the keys of one node.
        known: the keys that are read.
        where: the node's place, for the error.
        source_of: classes of others, written without a list of their keys; a key that occurs as a
            word in the module of one of them counts as read.

    Raises:
        ConfigError: a key that nothing reads; names the nearest one.
    """
    names = sorted(known)
    for key in given:
        if key in names or any(_occurs(str(key), cls) for cls in source_of):
            continue
        place = f"{where}.{key}" if where else str(key)
        raise ConfigError(f"{place}: nothing reads this key.{nearest(str(key), names)}")


def declared_keys(cls: type) -> frozenset[str]:
    """Return the union of ``config_keys`` over a class and its bases."""
    return frozenset(key for base in cls.__mro__ for key in vars(base).get("config_keys", ()))


def undeclared(cls: type) -> list[type]:
    """Return the class in a list if its keys must be looked for in its source, else nothing.

    Classes of this package list what they read; so may others. One written against LAVIS's
    documentation does not.
    """
    others = [
        base for base in cls.__mro__ if base.__module__.split(".")[0] not in ("lavis", "torch", "builtins", "abc")
    ]
    return [] if not others or any("config_keys" in vars(base) for base in others) else others


def _occurs(key: str, cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    try:
        source = inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        return True  # written in a console: there is nothing to look into
    return re.search(rf"\b{re.escape(key)}\b", source) is not None


def check_dataset_node(name: str, node: Mapping[str, Any], defaults: Mapping[str, Any], builder: type) -> None:
    """Check one ``datasets.<name>`` node, down to its annotation files.

    Raises:
        ConfigError: a key that nothing reads; names the nearest one.
    """
    where = f"datasets.{name}"
    processors = {key for key in node if str(key).endswith("_processor")}
    known = DATASET_KEYS | set(defaults) | processors | declared_keys(builder)
    check_keys(node, known, where, source_of=undeclared(builder))
    build_info = node.get("build_info") or {}
    data_type = node.get("data_type") or []
    sections = {data_type} if isinstance(data_type, str) else set(data_type)
    known_sections = BUILD_INFO_KEYS | set(defaults.get("build_info") or {}) | sections
    check_keys(build_info, known_sections, f"{where}.build_info", source_of=undeclared(builder))
    for split, files in (build_info.get("annotations") or {}).items():
        if isinstance(files, Mapping):
            check_keys(files, ANNOTATION_KEYS, f"{where}.build_info.annotations.{split}")
    for name in processors:
        for phase, processor in (node[name] or {}).items():
            if isinstance(processor, Mapping) and processor.get("name"):
                registry.require("processor", processor["name"])
            elif isinstance(processor, Mapping):
                raise ConfigError(f"{where}.{name}.{phase}: a processor needs a name.")
