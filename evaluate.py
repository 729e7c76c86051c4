"""Evaluate a model, in one process or under torchrun: ``python evaluate.py --cfg-path FILE [--options a.b=v …]``."""

import sys

from lavis.cli.launch import main

if __name__ == "__main__":
    sys.exit(
        main(None, description="Evaluate a model on its splits.", run=lambda runner: runner.evaluate(skip_reload=True))
    )
