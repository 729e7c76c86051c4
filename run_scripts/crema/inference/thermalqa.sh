#!/bin/sh
# CREMA on Thermal-QA: on the data in THERMALQA_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/crema/inference/thermalqa.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" evaluate.py eval/thermalqa THERMALQA_ROOT "$@"
