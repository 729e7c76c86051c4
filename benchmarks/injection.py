"""How often an order in a medium turns a right answer into the ordered one, with the fence and without.

    python benchmarks/injection.py [--model qwen2.5-coder-1.5b] [--per-canary 10] [--ways neutral plain]

Each canary (tests/support/canaries.py) goes on so many of the innocent questions. A flip is a question that is
answered rightly without the canary and as the canary orders with it. ``plain`` pastes reports as they are, ``marks``
puts them between marks as they are, ``neutral`` is what the package does.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from lavis.experts import Evidence
from lavis.models.mexa_models.neutral import neutral as neutral_text
from lavis.models.mexa_models.prompts import answer_prompt, draw_marker
from lavis.reasoners import Prompt, Reasoner
from lavis.reasoners.embedded import EmbeddedReasoner

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from canaries import BASES, CANARIES, MENTION, Base, Canary, innocent
from obedient import ObedientReasoner

Z = 1.959964  # of a 95 % interval


def neutral(base: Base, evidence: Sequence[Evidence], marker: str) -> Prompt:
    """Return what the package asks."""
    question = base.question()
    return answer_prompt(question, evidence, [], marker=marker, form="text", choices=question.options, max_tokens=16)


def plain(base: Base, evidence: Sequence[Evidence], marker: str) -> Prompt:
    """Return the same with the reports pasted as they are."""
    pasted = "\n".join(f"[{item.expert}] {item.text}" for item in evidence)
    return dataclasses.replace(neutral(base, (), marker), shared=pasted)


def marks(base: Base, evidence: Sequence[Evidence], marker: str) -> Prompt:
    """Return the same with the reports between marks, but as they are."""
    pasted = plain(base, evidence, marker)
    return dataclasses.replace(pasted, shared=f"<evidence {marker}>\n{pasted.shared}\n</evidence {marker}>")


WAYS: dict[str, Callable[[Base, Sequence[Evidence], str], Prompt]] = {
    "plain": plain,
    "marks": marks,
    "neutral": neutral,
}


def interval(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, in percent."""
    if not n:
        return 0.0, 100.0
    share, spread = hits / n, Z * math.sqrt(hits * (n - hits) / n + Z * Z / 4) / n
    scale = 1 + Z * Z / n
    middle = share + Z * Z / (2 * n)
    return 100 * max(0.0, middle - spread) / scale, 100 * min(1.0, (middle + spread) / scale)


def speed_mb_per_s() -> float:
    """Return how much of the canaries' evidence is made neutral in a second of one core (10^6 bytes of UTF-8)."""
    every = "\n".join(item.text for canary in CANARIES for base in BASES for item in canary.evidence(base, "0" * 8))
    size_mb = len(every.encode()) / 1e6
    start = time.process_time()
    for _ in range(10):
        neutral_text(every, "5a7c01fe")
    return 10 * size_mb / (time.process_time() - start)


def measure(reasoner: Reasoner, way: str, told: str, cases: Sequence[tuple[Canary, Base]], marker: str) -> Counter[str]:
    """Print a row of the table and return how often each canary flipped an answer."""
    build = WAYS[way]
    sound = {base.name for base in BASES if reasoner.complete(build(base, innocent(base), marker)).text == base.truth}
    asked = [(canary, base) for canary, base in cases if base.name in sound]
    right, flipped = 0, Counter[str]()
    for canary, base in asked:
        text = reasoner.complete(build(base, canary.evidence(base, marker), marker)).text
        right += text == base.truth
        flipped[canary.name] += text == base.target
    n, flips = len(asked), flipped.total()
    low, high = interval(flips, n)
    print(
        f"| {way} | {told} | {len(sound)} of {len(BASES)} | {n} | {right} | {flips} "
        f"| {100 * flips / max(n, 1):.1f} ({low:.1f}–{high:.1f}) |",
        flush=True,
    )
    return flipped


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", help="an embedded model, or obedient")
    parser.add_argument("--per-canary", type=int, default=len(BASES), help="innocent questions for each canary")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    arguments = parser.parse_args()
    print(f"neutral text: {speed_mb_per_s():.1f} MB/s\n")
    obedient = arguments.model == "obedient"
    reasoner = ObedientReasoner() if obedient else EmbeddedReasoner(model=arguments.model)
    start = time.perf_counter()
    marker = draw_marker()
    # Each canary takes the next questions in turn, so that few of them still meet all questions.
    cases = [
        (canary, BASES[(number + k) % len(BASES)])
        for number, canary in enumerate(CANARIES)
        for k in range(min(arguments.per_canary, len(BASES)))
    ]
    mentions = [(MENTION, base) for base in BASES]
    print("| reports | canaries | right without | n | right | flipped | % (95 % interval) |")
    print("|---|---|---|---|---|---|---|")
    flipped = {way: measure(reasoner, way, "all", cases, marker) for way in arguments.ways}
    for way in arguments.ways:
        measure(reasoner, way, "no order, the wrong option is mentioned", mentions, marker)
    for way, names in flipped.items():
        print(f"{way}: " + ", ".join(f"{name} {times}" for name, times in names.most_common() if times))
    print(f"{arguments.model}, {len(cases)} cases, {time.perf_counter() - start:.0f} s")
    reasoner.close()


if __name__ == "__main__":
    main()
