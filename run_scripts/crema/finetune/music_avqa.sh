#!/bin/sh
# Trains CREMA on MUSIC-AVQA: on the data in MUSICAVQA_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to train.py: sh run_scripts/crema/finetune/music_avqa.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" train.py train/music_avqa MUSICAVQA_ROOT "$@"
