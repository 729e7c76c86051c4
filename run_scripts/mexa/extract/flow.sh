#!/bin/sh
# Optical flow (DIS) of every video: sh run_scripts/mexa/extract/flow.sh --in videos --out videos_flow --workers 4
# Words after it go to `lavis extract`; it goes on where it was stopped. NPROC > 1 starts that many ranks.
exec sh "$(dirname "$0")/extract.sh" flow "$@"
