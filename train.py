"""Train a model, in one process or under torchrun: ``python train.py --cfg-path FILE [--options a.b=v …]``."""

import sys

from lavis.cli.launch import main

if __name__ == "__main__":
    sys.exit(main(None, description="Train a model.", run=lambda runner: runner.train()))
