"""`lavis estimate`: calls, tokens, cost and time of a run, before anything is sent."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lavis.cli.launch import build_runner, read_options, status_of

if TYPE_CHECKING:
    from lavis.runners.estimate import Estimate

# What a reasoning model writes for one answer, about; a plain one writes a tenth of it.
OUTPUT_TOKENS = 1000


def run(arguments: list[str]) -> int:
    """Print the estimate of a run; returns the exit status of a run."""
    parser = argparse.ArgumentParser(prog="lavis estimate", description="Say what a run will use; nothing is sent.")
    parser.add_argument("--output-tokens", type=int, default=OUTPUT_TOKENS, help="of one call, reasoning included")
    parser.add_argument("--latency-s", type=float, help="of one call, for an estimate of the time")
    options = read_options(parser, arguments)
    options.options.append("run.evaluate=true")

    def work() -> None:
        from lavis.runners.estimate import estimate, without_asking

        configured: dict[str, Any] = {}

        def change(config: Any) -> None:
            from omegaconf import OmegaConf

            configured.update(OmegaConf.to_container(config.model, resolve=True))
            without_asking(config)

        runner = build_runner(options, change=change)
        try:
            found = estimate(runner, output_tokens=options.output_tokens, latency_s=options.latency_s, model=configured)
        finally:
            runner.model.close()
        sys.stdout.write("".join(f"{line}\n" for line in _lines(found)))

    return status_of(work)


def _lines(found: Estimate) -> Iterator[str]:
    yield f"{found.questions} questions on {found.media} media, {found.expert_looks} pieces of evidence at most"
    for role in found.roles:
        cost = f"{role.usd:.4f} USD" if role.usd is not None else "USD unknown: set model.prices_usd_per_mtok"
        yield (
            f"{role.name}: {role.calls} calls of {role.model}, {role.input_tokens} tokens in, "
            f"{role.output_tokens} out, {cost}"
        )
    if found.seconds is not None:
        yield f"time of the calls: {timedelta(seconds=round(found.seconds))}"
    yield from (f"assumed: {note}" for note in found.notes)
