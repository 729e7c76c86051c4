#!/bin/sh
# MEXA on MMAU: on the data in MMAU_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/mmau.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" mmau MMAU_ROOT "$@"
