"""`lavis estimate` against what a run of the same configuration then uses, counted by the server that it asks."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import pytest
from lrm_server import running
from sqa3d_runs import CONFIG, N_SCENES, SCENE_QUESTIONS, server_options, write_root

from lavis.cli import launch
from lavis.cli.main import main
from lavis.common.config import Config
from lavis.runners.estimate import Estimate, estimate, without_asking

N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
NOWHERE = "http://127.0.0.1:9/v1"
PRICED = "model.prices_usd_per_mtok={m: {input: 2.0, output: 10.0}}"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo_root: Path) -> Path:
    monkeypatch.chdir(repo_root)
    monkeypatch.setenv("SQA3D_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    return write_root(tmp_path / "root")


def command(opts: list[str], *words: str) -> list[str]:
    return ["estimate", *words, "--cfg-path", CONFIG, "--options", *opts]


def of(opts: list[str], *, output_tokens: int = 100, latency_s: float | None = None) -> Estimate:
    given = argparse.Namespace(cfg_path=CONFIG, options=[*opts, "run.evaluate=true"])
    configured = Config(given).config.model
    runner = launch.build_runner(given, change=without_asking)
    try:
        return estimate(runner, output_tokens=output_tokens, latency_s=latency_s, model=configured)
    finally:
        runner.model.close()


def test_tokens_of_a_run_are_foretold_once_its_evidence_is_there(tmp_path: Path) -> None:
    """The server counts 4 characters a token, as the estimate does; what differs is fences and message frames."""
    with running() as server:
        opts = server_options(tmp_path, "one", server.url, PRICED)
        assert main(["precompute", "--question-aware", "--cfg-path", CONFIG, "--options", *opts]) == 0
        (role,) = of(opts).roles
        assert server.stats()["calls"] == 0
        ran = launch.main(
            ["--cfg-path", CONFIG, "--options", *opts],
            description="",
            run=lambda runner: runner.evaluate(),
            evaluate=True,
        )
        assert ran == 0
    used = json.loads((tmp_path / "one" / "metrics.json").read_text())["test"]["usage"]["aggregator"]
    assert (role.name, role.model) == ("aggregator", "m")
    assert role.calls == used["calls"] == N_QUESTIONS
    assert role.input_tokens == pytest.approx(used["input_tokens"], rel=0.15)
    assert role.output_tokens == 100 * N_QUESTIONS
    assert role.usd == pytest.approx(1e-6 * (2.0 * role.input_tokens + 10.0 * role.output_tokens))


def test_evidence_that_nobody_wrote_yet_is_assumed_and_said_to_be(tmp_path: Path) -> None:
    found = of(server_options(tmp_path, "one", NOWHERE))
    assert (found.questions, found.media, found.expert_looks) == (N_QUESTIONS, N_SCENES, N_QUESTIONS)
    assert any(f"{N_QUESTIONS} reports on {N_QUESTIONS} sampled" in note for note in found.notes)
    (role,) = found.roles
    assert role.input_tokens > 250 * N_QUESTIONS
    assert role.usd is None
    assert found.seconds is None


def test_a_selector_that_asks_is_a_role_of_its_own_with_its_own_model_and_price(tmp_path: Path) -> None:
    (tmp_path / "root" / "frames").mkdir()
    opts = server_options(
        *(tmp_path, "one", NOWHERE),
        "model.experts=[captions, frames]",
        "model.selector={type: llm, reasoner: {type: openai, model: small}}",
        "model.prices_usd_per_mtok={m: {input: 2.0, output: 10.0}, small: {input: 1.0, output: 1.0}}",
        "model.reasoner.max_connections=7",
    )
    found = of(opts, latency_s=2.0)
    chooser, answerer = found.roles
    assert (chooser.name, chooser.model, answerer.model) == ("selector", "small", "m")
    assert chooser.calls == answerer.calls == N_QUESTIONS
    assert chooser.usd == pytest.approx(1e-6 * (chooser.input_tokens + chooser.output_tokens))
    assert found.seconds == 2.0 * 9, "60 calls on 7 connections"


def test_a_limit_is_part_of_the_estimate(tmp_path: Path) -> None:
    found = of(server_options(tmp_path, "one", NOWHERE, "run.limit=7"))
    assert (found.questions, found.media, found.roles[0].calls) == (7, 2, 7)
    whole = of(server_options(tmp_path, "one", NOWHERE))
    assert found.roles[0].input_tokens == pytest.approx(whole.roles[0].input_tokens * 7 / N_QUESTIONS, rel=0.02)


def test_a_sample_stands_for_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of(server_options(tmp_path, "one", NOWHERE))
    monkeypatch.setattr("lavis.runners.estimate.SAMPLE", 5)
    sampled = of(server_options(tmp_path, "one", NOWHERE))
    assert sampled.roles[0].calls == whole.roles[0].calls
    assert sampled.roles[0].input_tokens == pytest.approx(whole.roles[0].input_tokens, rel=0.02)
    assert dataclasses.replace(sampled, roles=(), notes=()) == dataclasses.replace(whole, roles=(), notes=())


def test_the_command_needs_neither_server_nor_key_and_says_what_it_assumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    opts = server_options(tmp_path, "one", "https://api.example.com/v1", PRICED)
    opts = [opt.replace("api_key_env=null", "api_key_env=NO_SUCH_KEY") for opt in opts]
    assert main(command(opts, "--output-tokens", "50", "--latency-s", "3")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{N_QUESTIONS} questions on {N_SCENES} media, {N_QUESTIONS} pieces of evidence at most" in lines
    (role,) = [line for line in lines if line.startswith("aggregator: ")]
    assert f"{N_QUESTIONS} calls of m" in role
    assert f"{50 * N_QUESTIONS} out" in role
    assert role.endswith(" USD")
    assert "time of the calls: 0:00:12" in lines, "30 calls on 8 connections are 4 rounds of 3 s"
    assert any(line.startswith("assumed: ") and "50 tokens out" in line for line in lines)
    assert not (tmp_path / "one").exists(), "an estimate leaves no run folder"
    assert main(command(server_options(tmp_path, "one", NOWHERE))) == 0
    assert "USD unknown: set model.prices_usd_per_mtok" in capsys.readouterr().out
