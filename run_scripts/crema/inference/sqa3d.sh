#!/bin/sh
# CREMA on SQA3D: on the data in SQA3D_ROOT, or a tiny model on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/crema/inference/sqa3d.sh --options run.seed=1
exec sh "$(dirname "$0")/../run.sh" evaluate.py eval/sqa3d SQA3D_ROOT "$@"
