#!/bin/sh
# CREMA on MUSIC-AVQA: on the data in MUSICAVQA_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/crema/inference/music_avqa.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" evaluate.py eval/music_avqa MUSICAVQA_ROOT "$@"
