#!/bin/sh
# MEXA on NExT-QA: on the data in NEXTQA_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/nextqa.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" nextqa NEXTQA_ROOT "$@"
