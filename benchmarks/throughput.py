"""Questions per second against a local server of a set latency, beside what its latency allows.

    python benchmarks/throughput.py

Whole runs of evaluate.py with a journal of fsynced lines; the server is a process of its own on the same
machine. ``steady`` is the middle 80 % of the questions, ``whole`` counts the growth of the connections from 8 too.
The evidence is of the medium: an expert looks once, its text opens the prompt of 50 questions. ``captions`` instead
looks anew for every question.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from serving import SYNTHETIC, bare_client_rate, reasoner_options, run_served, synthetic_root

from lrm_server import running  # isort: skip

SHAPES = ((0.2, 64, 6_000), (1.0, 256, 10_000))
N_FASTEST = 6_000
PER_MEDIUM = [
    *(option for option in SYNTHETIC if not option.startswith("model.experts")),
    *("run.plugins=[benchmarks/second_reader.py]", "model.experts=[long_reader]"),
]
EVIDENCE = {"an expert per medium": PER_MEDIUM, "captions per question": SYNTHETIC}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for latency_s, connections, n in SHAPES:
            ideal = connections / latency_s
            for start in (8, connections):
                with running(latency_s=latency_s) as server:
                    more = (f"model.reasoner.start_connections={start}",)
                    options = [*PER_MEDIUM, *reasoner_options(server, connections, *more)]
                    served = run_served(base, synthetic_root(base, n), f"at{latency_s}from{start}", options)
                print(
                    f"L={latency_s} s, C={connections} from {start}, {n} questions: "
                    f"{served.steady_rate:.0f}/s steady = {100 * served.steady_rate / ideal:.1f} % of C/L, "
                    f"{served.rate:.0f}/s whole = {100 * served.rate / ideal:.1f} %"
                )
        root = synthetic_root(base, N_FASTEST)
        with running() as server:
            bare = bare_client_rate(server, 64, N_FASTEST)
        print(f"no latency: the bare openai client makes {bare:.0f} calls/s with 64 in flight")
        for kind, chosen in EVIDENCE.items():
            for ranks in (1, 2):
                with running() as server:
                    options = [*chosen, *reasoner_options(server, 64, "model.reasoner.start_connections=64")]
                    run_id = f"{kind.replace(' ', '-')}-{ranks}"
                    rate = run_served(base, root, run_id, options, ranks=ranks).steady_rate
                print(
                    f"no latency, {kind}, {ranks} rank(s): {rate:.0f} questions/s, {rate / bare:.2f} of the bare one",
                    flush=True,
                )


if __name__ == "__main__":
    main()
