#!/bin/sh
# MEXA on M3D-VQA: on the data in M3D_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/m3d.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" m3d M3D_ROOT "$@"
