#!/bin/sh
# Frames of every video, 3 a second: sh run_scripts/mexa/extract/frames.sh --in videos --out video_frames
# Words after it go to `lavis extract`; it goes on where it was stopped. NPROC > 1 starts that many ranks.
exec sh "$(dirname "$0")/extract.sh" frames "$@"
