#!/bin/sh
# Depth of every video: sh run_scripts/mexa/extract/depth.sh --in videos --out videos_depth --model FOLDER_OR_NAME
# From two cameras: sh run_scripts/mexa/extract/depth.sh --stereo left right --out depth --focal-px 700 --baseline-m 0.12
# Words after it go to `lavis extract`; it goes on where it was stopped. NPROC > 1 starts that many ranks.
exec sh "$(dirname "$0")/extract.sh" depth "$@"
