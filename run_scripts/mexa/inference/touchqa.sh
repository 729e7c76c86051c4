#!/bin/sh
# MEXA on Touch-QA: on the data in TOUCHQA_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/touchqa.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" touchqa TOUCHQA_ROOT "$@"
