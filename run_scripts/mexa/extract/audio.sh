#!/bin/sh
# Sound of every video, 16 kHz mono: sh run_scripts/mexa/extract/audio.sh --in videos --out videos_audio
# Words after it go to `lavis extract`; it goes on where it was stopped. NPROC > 1 starts that many ranks.
exec sh "$(dirname "$0")/extract.sh" audio "$@"
