"""A server that fails 30 % of its calls: 429, 500, silence, an empty reply and cut JSON, in turn.

    python benchmarks/faults.py

The ideal time is that of the calls alone: those that get a reply, and the failed ones that take as long as a
reply, over the connections. A call that is never answered takes ``timeout_s``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from serving import SYNTHETIC, reasoner_options, run_served, synthetic_root

from lrm_server import running  # isort: skip

LATENCY_S, CONNECTIONS, N, RATE, TIMEOUT_S = 0.2, 64, 6_000, 0.3, 1.0
FAULTS = ("429", "500", "timeout", "empty", "cut")
# What a call that meets a fault takes at least, in s.
TAKES_S = {"429": 0.0, "500": 0.0, "timeout": TIMEOUT_S, "empty": LATENCY_S, "cut": LATENCY_S}


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(latency_s=LATENCY_S, faults=FAULTS, fault_rate=RATE) as server,
    ):
        base = Path(folder)
        more = (f"model.reasoner.timeout_s={TIMEOUT_S}", "model.reasoner.retry_base_s=0.25")
        options = [*SYNTHETIC, *reasoner_options(server, CONNECTIONS, *more)]
        served = run_served(base, synthetic_root(base, N), "faults", options)
        stats = server.stats()
        split = served.ran.split
        fault_s = sum(TAKES_S[FAULTS[k % len(FAULTS)]] for k in range(stats["faults"]))
        ideal_s = (N * LATENCY_S + fault_s) / CONNECTIONS
        print(f"{N} questions: answered {split['answered']}, unparsed {split['unparsed']}, failed {split['failed']}")
        print(f"calls: {stats['calls']} = {stats['calls'] / N:.2f} of the minimum; {stats['faults']} met a fault")
        print(
            f"time: {served.finished_s[-1]:.1f} s = {served.finished_s[-1] / ideal_s:.2f} of the ideal {ideal_s:.1f} s"
        )
        print(f"retries by cause: {served.ran.metrics['timing']['retries']}")
        print(f"questions paid for more than once: {sum(count > 1 for count in Counter(stats['paid']).values())}")


if __name__ == "__main__":
    main()
