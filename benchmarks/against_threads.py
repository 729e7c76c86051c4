"""The same work the way MEXA's release does it: blocking calls in 32 threads, router calls one at a time before them.

    pip install requests && python benchmarks/against_threads.py

Both ask the same local server one router call and one answer call a question; the release's way is timed at the
calls alone, this package's as a whole run of evaluate.py (start, journal, scores and report included).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from serving import SYNTHETIC, reasoner_options, run_served, synthetic_root

from lrm_server import Running, running  # isort: skip

THREADS = 32


def release_s(server: Running, n: int) -> float:
    """Return the wall time of the release's way in s: every router call, one by one, then answers in a pool."""

    def ask(text: str) -> str:
        body = {"model": "local", "messages": [{"role": "user", "content": text}], "temperature": 0}
        reply = requests.post(f"{server.url}/chat/completions", json=body, timeout=600)
        content: str = reply.json()["choices"][0]["message"]["content"]
        return content

    evidence = "evidence " * 200
    start = time.perf_counter()
    for number in range(n):
        ask(f"Experts:\ncaptions: texts\nscene3d: geometry\n\nQuestion: {number}?")
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda number: ask(f"{evidence}\n\nQuestion: {number}?"), range(n)))
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=2_000)
    parser.add_argument("--latency-s", type=float, default=1.0)
    given = parser.parse_args()
    n, latency_s = given.questions, given.latency_s
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        root = synthetic_root(base, n)
        selecting = [option for option in SYNTHETIC if not option.startswith(("model.selector", "model.experts"))]
        # Two experts on the same texts, so that there is a choice to make.
        selecting += ["model.selector.type=llm", "run.plugins=[benchmarks/second_reader.py]"]
        selecting += ["model.experts=[captions,second_reader]"]
        with running(latency_s=latency_s) as server:
            theirs = release_s(server, n)
        print(f"{n} router calls one at a time, then {THREADS} threads of blocking calls: {theirs:.1f} s", flush=True)
        ours = {}
        for connections in (32, 256):
            with running(latency_s=latency_s) as server:
                options = [*selecting, *reasoner_options(server, connections)]
                ours[connections] = run_served(base, root, f"c{connections}", options).ran.wall_s
                calls = server.stats()["calls"]
            print(f"{n} questions, {connections} in flight: {ours[connections]:.1f} s for {calls} calls", flush=True)
        for connections, seconds in ours.items():
            print(f"{connections} in flight: {theirs / seconds:.1f} times faster")


if __name__ == "__main__":
    main()
