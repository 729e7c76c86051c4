#!/bin/sh
# Everything that must be green: style, types, tests. Further words go to pytest: sh run_scripts/test.sh -k journal
set -eu
here=$(dirname "$0")
. "$here/setup.sh"
"$LAVIS_PYTHON" -m lavis.cli weights fetch smollm2-135m ssd_mobilenet_v2_coco ssd_mobilenet_v2_coco_graph >&2
"$LAVIS_PYTHON" -m ruff check .
"$LAVIS_PYTHON" -m ruff format --check .
"$LAVIS_PYTHON" -m mypy
exec "$LAVIS_PYTHON" -m pytest "$@"
