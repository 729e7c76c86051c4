"""Whether stages overlap: experts of 50 ms and an LRM of 200 ms, each alone and together; and two ranks against one.

    python benchmarks/overlap.py

Two experts look at once, 50 ms for each of the 400 different questions; eight calls are in flight for all 1,000.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from serving import SYNTHETIC, reasoner_options, run_served, synthetic_root

from lrm_server import running  # isort: skip

LRM_S, CONNECTIONS, N = 0.2, 8, 1_000
N_BUSY = 600


def options(expert: str, *more: str) -> list[str]:
    """Return the options of a run with one of the benchmark's experts."""
    kept = [option for option in SYNTHETIC if not option.startswith("model.experts")]
    return [*kept, "run.plugins=[benchmarks/second_reader.py]", f"model.experts=[{expert}]", *more]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        root = synthetic_root(base, N)
        waiting = options("waiting_reader", "model.reading.n_workers=2")
        cases = {
            "experts alone": (waiting, 0.0),
            "LRM alone": (options("second_reader"), LRM_S),
            "both": (waiting, LRM_S),
        }
        seconds = {}
        for name, (chosen, latency_s) in cases.items():
            with running(latency_s=latency_s) as server:
                served = run_served(
                    base, root, name.replace(" ", "-"), [*chosen, *reasoner_options(server, CONNECTIONS)]
                )
            seconds[name] = served.finished_s[-1]
            print(f"{name}: {seconds[name]:.2f} s for {N} questions", flush=True)
        slower = max(seconds["experts alone"], seconds["LRM alone"])
        print(f"both / the slower alone: {seconds['both'] / slower:.3f}")

        busy = options(
            "busy_reader",
            "model.reasoner.type=scripted",
            "model.reasoner.default=wall",
            "model.reasoner.max_connections=8",
        )
        rates = {}
        for ranks in (1, 2):
            served = run_served(base, synthetic_root(base, N_BUSY), f"busy{ranks}", busy, ranks=ranks)
            rates[ranks] = served.steady_rate
            print(f"experts that use a core for 50 ms, {ranks} rank(s): {rates[ranks]:.1f} questions/s", flush=True)
        print(f"two ranks / one: {rates[2] / rates[1]:.2f}")


if __name__ == "__main__":
    main()
