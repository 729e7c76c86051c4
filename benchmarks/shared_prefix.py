"""What the second question on the same evidence costs the embedded reasoner, beside the first.

    python benchmarks/shared_prefix.py [model]

Evidence of about 1,400 tokens; the answers are held to two choices, so that nearly all of the time is the prompt's.
"""

from __future__ import annotations

import sys
import time

from lavis.reasoners import Prompt
from lavis.reasoners.embedded import EmbeddedReasoner

ROUNDS = 3


def main() -> None:
    """Measure and print."""
    reasoner = EmbeddedReasoner(model=sys.argv[1] if len(sys.argv) > 1 else "smollm2-135m", context_tokens=2048)
    reasoner.complete(Prompt("", "warm", "Question: ready?", choices=("yes", "no")))
    for number in range(ROUNDS):
        lines = [f"{k} s: the blue cup {number} is {k * 5 % 11} cm from a spoon." for k in range(68)]
        evidence = "\n".join(["<evidence 7f>", *lines, "</evidence 7f>"])
        took_s, usages = [], []
        for question in ("Is the cup blue?", "Is there a spoon?"):
            start = time.perf_counter()
            prompt = Prompt("", evidence, f"Question: {question}", choices=("yes", "no"))
            usages.append(reasoner.complete(prompt).usage)
            took_s.append(time.perf_counter() - start)
        print(
            f"{usages[0].input_tokens} tokens: first {took_s[0]:.2f} s, second {took_s[1]:.2f} s = "
            f"{100 * took_s[1] / took_s[0]:.1f} % ({usages[1].cached_tokens} of {usages[1].input_tokens} tokens kept)"
        )
    reasoner.close()


if __name__ == "__main__":
    main()
