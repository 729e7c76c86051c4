"""Evaluate a model, in one process or under torchrun: ``python evaluate.py --cfg-path FILE [--options a.b=v …]``."""

import sys
from typing import Any

from lavis.cli.launch import main


def evaluate(runner: Any) -> None:
    """Evaluate the weights that the model was built with."""
    runner.evaluate(skip_reload=True)


if __name__ == "__main__":
    sys.exit(main(None, description="Evaluate a model on its splits.", run=evaluate, evaluate=True))
