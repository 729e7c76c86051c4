#!/bin/sh
# What the scripts beside it share: ask.sh NAME ROOT_VARIABLE [words for evaluate.py]
# Runs projects/mexa/eval/NAME.yaml on the folder in ROOT_VARIABLE, or on the project's own sample where
# that is not set. NPROC > 1 starts that many ranks; RUN_ID=name resumes the run of that name.
set -eu
. "$(dirname "$0")/../../setup.sh"

name=$1 variable=$2
shift 2
config=projects/mexa/eval/$name.yaml
[ -n "$(printenv "$variable" || true)" ] || config=projects/mexa/eval/${name}_sample.yaml
[ -z "${RUN_ID:-}" ] || set -- "$@" --options "run.run_id=$RUN_ID"
"$LAVIS_PYTHON" -m lavis.cli weights fetch --for "$config" "$@" >&2

if [ "${NPROC:-1}" -gt 1 ]; then
    exec "$LAVIS_PYTHON" -m torch.distributed.run --standalone --nproc_per_node="$NPROC" \
        evaluate.py --cfg-path "$config" "$@"
fi
exec "$LAVIS_PYTHON" evaluate.py --cfg-path "$config" "$@"
