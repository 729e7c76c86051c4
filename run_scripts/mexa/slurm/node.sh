#!/bin/bash
# The ranks of one node; srun starts it once a node for sqa3d.sbatch, which sets LAVIS_PYTHON and RENDEZVOUS.
# Its words go to evaluate.py. torchrun is told TERM once: it passes it on and gives its ranks 30 s.
set -eu

agent='' stopped=''
# shellcheck disable=SC2329 # the trap calls it
stop_agent() {
    [ -z "$stopped" ] || return 0
    stopped=1
    [ -z "$agent" ] || kill -TERM "$agent" 2>/dev/null || :
}
trap stop_agent TERM

"$LAVIS_PYTHON" -m torch.distributed.run \
    --nnodes="$SLURM_NNODES" --nproc_per_node="${NPROC:-1}" --max_restarts="${MAX_RESTARTS:-1}" \
    --rdzv_backend=c10d --rdzv_endpoint="$RENDEZVOUS" --rdzv_conf=is_host=0 --rdzv_id="$SLURM_JOB_ID" \
    evaluate.py "$@" &
agent=$!
[ -z "$stopped" ] || kill -TERM "$agent"

while :; do
    status=0
    wait "$agent" || status=$?
    # A signal ends wait with a status above 128, and what is waited for goes on.
    { [ "$status" -gt 128 ] && kill -0 "$agent" 2>/dev/null; } || break
done
if [ "$status" -gt 128 ]; then # it may have ended just then: its own status, if that is still to be had
    own=0
    wait "$agent" || own=$?
    [ "$own" -eq 127 ] || status=$own
fi

if [ "$status" -ne 0 ] && [ -z "$stopped" ] && [ "$SLURM_NNODES" -gt 1 ]; then
    # The others would wait for these ranks until the time limit.
    trap '' TERM
    echo "Node $SLURM_NODEID failed with status $status; the other nodes are told to stop." >&2
    scancel --signal=TERM "$SLURM_JOB_ID.$SLURM_STEP_ID" || :
fi
exit "$status"
