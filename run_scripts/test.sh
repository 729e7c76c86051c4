#!/bin/sh
# Everything that must be green: style, types, tests. Further words go to pytest: sh run_scripts/test.sh -k journal
set -eu
here=$(dirname "$0")
. "$here/setup.sh"
"$LAVIS_PYTHON" -m lavis.cli weights fetch smollm2-135m ssd_mobilenet_v2_coco ssd_mobilenet_v2_coco_graph \
    efficientnet_lite3_imagenet imagenet_labels yamnet_w8a8 yamnet_classes minilm_l6_int8 minilm_l6_tokenizer \
    whisper_tiny_en_model whisper_tiny_en_config whisper_tiny_en_tokenizer whisper_tiny_en_vocabulary \
    speech_two_cities >&2
"$LAVIS_PYTHON" -m ruff check .
"$LAVIS_PYTHON" -m ruff format --check .
"$LAVIS_PYTHON" -m mypy
exec "$LAVIS_PYTHON" -m pytest "$@"
