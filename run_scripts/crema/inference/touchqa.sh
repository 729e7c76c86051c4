#!/bin/sh
# CREMA on Touch-QA: on the data in TOUCHQA_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/crema/inference/touchqa.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" evaluate.py eval/touchqa TOUCHQA_ROOT "$@"
