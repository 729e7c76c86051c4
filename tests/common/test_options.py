"""Options of registered classes are checked by name."""

from __future__ import annotations

import pytest

from lavis.common.errors import ConfigError, UnknownNameError
from lavis.common.options import check_options, checked_class


class Needs:
    def __init__(self, *, names: list[str], depth_m: float = 1.0, **anything: object) -> None: ...


class Plain:
    pass


def test_known_options_pass_and_the_rest_names_the_nearest() -> None:
    check_options(Needs, {"names": [], "depth_m": 2.0}, "model.x")
    check_options(Plain, {}, "model.x")
    with pytest.raises(ConfigError, match=r"model\.x\.depth: no such option\. Did you mean 'depth_m'"):
        check_options(Needs, {"names": [], "depth": 2.0}, "model.x")
    with pytest.raises(ConfigError, match=r"model\.x\.names is missing"):
        check_options(Needs, {}, "model.x")
    with pytest.raises(ConfigError, match="Known: none"):
        check_options(Plain, {"a": 1}, "model.x")


def test_a_type_is_needed_and_must_be_registered() -> None:
    cls, options = checked_class("selector", {"type": "rules", "max_experts": 2}, "model.selector")
    assert (cls.__name__, options) == ("RulesSelector", {"max_experts": 2})
    with pytest.raises(ConfigError, match=r"model\.selector needs a type"):
        checked_class("selector", {"max_experts": 2}, "model.selector")
    with pytest.raises(UnknownNameError, match="'rules'"):
        checked_class("selector", {"type": "rule"}, "model.selector")
