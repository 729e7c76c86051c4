#!/bin/sh
# What the scripts below share: run.sh train.py|evaluate.py train/NAME|eval/NAME ROOT_VARIABLE [words for it]
# Runs projects/crema/….yaml on the folder in ROOT_VARIABLE, or a tiny model on the project's own sample where that is
# not set. NPROC > 1 starts that many ranks.
set -eu
. "$(dirname "$0")/../setup.sh"

program=$1 config=projects/crema/$2 variable=$3
shift 3
if [ -n "$(printenv "$variable" || true)" ]; then config=$config.yaml; else config=${config}_sample.yaml; fi

if [ "${NPROC:-1}" -gt 1 ]; then
    exec "$LAVIS_PYTHON" -m torch.distributed.run --standalone --nproc_per_node="$NPROC" \
        "$program" --cfg-path "$config" "$@"
fi
exec "$LAVIS_PYTHON" "$program" --cfg-path "$config" "$@"
