#!/bin/sh
# MEXA on MUSIC-AVQA: on the data in MUSICAVQA_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/musicavqa.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" musicavqa MUSICAVQA_ROOT "$@"
