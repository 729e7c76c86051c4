#!/bin/sh
# Trains CREMA on SQA3D: on the data in SQA3D_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to train.py: sh run_scripts/crema/finetune/sqa3d.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" train.py train/sqa3d SQA3D_ROOT "$@"
