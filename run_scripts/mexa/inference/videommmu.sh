#!/bin/sh
# MEXA on Video-MMMU: on the data in VIDEOMMMU_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/videommmu.sh --options run.limit=50
exec sh "$(dirname "$0")/ask.sh" videommmu VIDEOMMMU_ROOT "$@"
