#!/bin/sh
# MEXA on Thermal-QA: on the data in THERMALQA_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/thermalqa.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" thermalqa THERMALQA_ROOT "$@"
