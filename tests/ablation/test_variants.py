"""Which rows an ablation has, what they change, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from lavis.ablation import Variant, make_variants
from lavis.common.errors import ConfigError

MODEL: dict[str, Any] = {
    "selector": {"type": "rules", "max_experts": 2},
    "experts": [{"name": "scene3d", "clock": False}, "depth", "flow"],
    "reasoner": {"type": "embedded"},
}


def applied(variant: Variant) -> Any:
    config = OmegaConf.create({"model": MODEL, "run": {"run_id": None}})
    variant.apply(config)
    return OmegaConf.to_container(config)


def test_all_rows_in_order_each_with_a_run_of_its_own() -> None:
    variants = make_variants(MODEL, "a1", none=True, leave_one_out=True, only_one=True)
    assert [variant.name for variant in variants] == [
        *("full", "no evidence", "without scene3d", "without depth", "without flow"),
        *("only scene3d", "only depth", "only flow"),
    ]
    assert [variant.run_id for variant in variants][:3] == ["a1.full", "a1.none", "a1.without-scene3d"]
    by_name = {variant.name: applied(variant) for variant in variants}
    assert by_name["full"] == {"model": MODEL, "run": {"run_id": "a1.full"}}
    assert by_name["no evidence"]["model"] == {**MODEL, "selector": {"type": "none"}}
    assert by_name["without depth"]["model"] == {**MODEL, "experts": [MODEL["experts"][0], "flow"]}
    alone = by_name["only scene3d"]["model"]
    assert alone == {**MODEL, "experts": [{"name": "scene3d", "clock": False}], "selector": {"type": "all"}}


def test_a_selector_that_names_experts_does_not_name_the_one_that_is_left_out() -> None:
    fixed = {**MODEL, "selector": {"type": "fixed", "names": ["depth", "flow"]}}
    _, _, without, _ = make_variants(fixed, "a1", leave_one_out=True)
    assert applied(without)["model"]["selector"] == {"type": "fixed", "names": ["flow"]}


def test_a_single_expert_left_out_is_the_row_without_evidence() -> None:
    one = {**MODEL, "experts": ["depth"]}
    names = [variant.name for variant in make_variants(one, "a1", none=True, leave_one_out=True, only_one=True)]
    assert names == ["full", "no evidence"]


def test_a_row_by_hand() -> None:
    _, row = make_variants(
        MODEL, "a1", rows=["four frames, all: model.reading.n_frames=4 'model.selector={type: all}'"]
    )
    assert row == Variant(
        "four frames, all", "a1.four-frames-all", ("model.reading.n_frames=4", "model.selector={type: all}")
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["no colon"], "write 'name: key=value"),
        (["x:"], "write 'name: key=value"),
        (["x: run.limit=5"], "the same for every row"),
        (["x: model.reading.n_frames 5"], "none of model"),
        (["x: 'model.a=1"], "No closing quotation"),
        (["a b: model.a=1", "A-b: model.a=2"], "would share the run"),
        (["full: model.a=1"], "would share the run"),
        (["x: model.a=1", "x: model.a=2"], "one name"),
    ],
)
def test_rows_that_are_refused(rows: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_variants(MODEL, "a1", rows=rows)


@pytest.mark.parametrize("change", [{"experts": []}, {"experts": None}, {"selector": {"type": "none"}}])
def test_a_model_with_nothing_to_leave_out_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        make_variants({**MODEL, **change}, "a1", none=True)
