#!/bin/sh
# MEXA on SQA3D: on the data in SQA3D_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/sqa3d.sh --options run.limit=50
# NPROC > 1 starts that many ranks; RUN_ID=name resumes the run of that name.
exec sh "$(dirname "$0")/ask.sh" sqa3d SQA3D_ROOT "$@"
