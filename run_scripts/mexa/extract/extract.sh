#!/bin/sh
# `lavis extract` of one modality; the scripts beside this one name it: sh extract.sh MODALITY WORDS…
# Paths are relative to the checkout. NPROC > 1 starts that many ranks, which share out the media.
set -eu
. "$(dirname "$0")/../../setup.sh"

modality=$1
shift
if [ "${NPROC:-1}" -gt 1 ]; then
    exec "$LAVIS_PYTHON" -m torch.distributed.run --standalone --nproc_per_node="$NPROC" \
        -m lavis.cli extract --modality "$modality" "$@"
fi
exec "$LAVIS_PYTHON" -m lavis.cli extract --modality "$modality" "$@"
