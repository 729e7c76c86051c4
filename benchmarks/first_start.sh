#!/bin/sh
# First and second start of sqa3d.sh in an empty clone: wall time, bytes on disk, bytes received.
# sh benchmarks/first_start.sh FOLDER [OPTION=VALUE …]; the clone and its own cache are left in FOLDER for a look.
set -eu
source_tree=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
shift
received() { awk '/:/ && $1 != "lo:" { total += $2 } END { printf "%d\n", total }' /proc/net/dev; }
mkdir -p "$folder"
git clone --quiet "$source_tree" "$folder/clone"
cd "$folder/clone"
export LAVIS_CACHE="$folder/cache"
unset PYTHON SQA3D_ROOT 2>/dev/null || true
for start in first second; do
    bytes=$(received)
    began=$(date +%s)
    sh run_scripts/mexa/inference/sqa3d.sh --options run.run_id="$start" "$@"
    echo "$start start: $(($(date +%s) - began)) s, $((($(received) - bytes) / 1000000)) MB received"
done
du -sm .venv "$folder/cache" | awk '{ printf "%s: %d MiB on disk\n", $2, $1 }'
