#!/bin/sh
# MEXA on SQA3D: on the data in SQA3D_ROOT, or on the project's own sample where that is not set.
# Words after it go to evaluate.py: sh run_scripts/mexa/inference/sqa3d.sh --options run.limit=50
# NPROC > 1 starts that many ranks; RUN_ID=name resumes the run of that name.
set -eu
. "$(dirname "$0")/../../setup.sh"

if [ -n "${SQA3D_ROOT:-}" ]; then
    config=projects/mexa/eval/sqa3d.yaml
else
    config=projects/mexa/eval/sqa3d_sample.yaml
fi
[ -z "${RUN_ID:-}" ] || set -- "$@" --options "run.run_id=$RUN_ID"
"$LAVIS_PYTHON" -m lavis.cli weights fetch --for "$config" "$@" >&2

if [ "${NPROC:-1}" -gt 1 ]; then
    exec "$LAVIS_PYTHON" -m torch.distributed.run --standalone --nproc_per_node="$NPROC" \
        evaluate.py --cfg-path "$config" "$@"
fi
exec "$LAVIS_PYTHON" evaluate.py --cfg-path "$config" "$@"
