#!/bin/sh
# Normals of depth maps in m: sh run_scripts/mexa/extract/normals.sh --in videos_depth --out videos_norm --fov-deg 60
# Words after it go to `lavis extract`; it goes on where it was stopped. NPROC > 1 starts that many ranks.
exec sh "$(dirname "$0")/extract.sh" normals "$@"
