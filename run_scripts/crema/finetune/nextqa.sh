#!/bin/sh
# Trains CREMA on NExT-QA: on the data in NEXTQA_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to train.py: sh run_scripts/crema/finetune/nextqa.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" train.py train/nextqa NEXTQA_ROOT "$@"
