"""The builder ``nextqa``: NExT-QA in the official layout, or in the one that CREMA left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.nextqa_dataset import NExTQADataset

# CREMA's words for the modalities of ``modality_type``.
CREMA_MODALITIES = {"rgb": "frame", "depth": "depth", "flow": "flow", "norm": "norm"}
FILES = ("video_map", "gold_spans")


@registry.register_builder("nextqa")
class NextQABuilder(BenchmarkBuilder):
    """Builds NExT-QA from the folder in ``NEXTQA_ROOT``.

    CREMA's configuration is read too: ``data_type: videos`` with ``modality_type: rgb_depth_flow_norm``
    and ``build_info.videos.storage``; and its layout, where depth, flow and normals lie in folders named
    like that of the frames with ``_depth``, ``_flow`` and ``_norm`` after it.
    """

    name = "nextqa"
    root_variable = "NEXTQA_ROOT"
    sample = "nextqa"
    train_dataset_cls: ClassVar[Any] = NExTQADataset
    eval_dataset_cls: ClassVar[Any] = NExTQADataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/nextqa/defaults.yaml"}

    def adopt_layout(self) -> None:
        """Translate CREMA's keys, and take its suffix layout where a modality's own place is not there."""
        build_info = self.config.build_info
        videos = build_info.get("videos")
        if videos is not None and "videos" in self.data_type:
            build_info.frame.storage = videos.storage.rstrip("/")
            named = str(self.modality_type or "rgb").split("_")
            self.data_type = [CREMA_MODALITIES.get(word, word) for word in named]
            if self.config.get("vis_processor") is not None:
                self.config.frame_processor = self.config.vis_processor
        frames = Path(self._storage("frame"))
        for modality in ("depth", "flow", "norm"):
            beside = frames.with_name(f"{frames.name}_{modality}")
            if not self.storage_exists(modality) and beside.is_dir():
                build_info[modality].storage = str(beside)

    def annotation_options(self) -> dict[str, Any]:
        """Return the reader's options, with files below the root."""
        options = super().annotation_options()
        found = {name: self._annotation_path(options[name]) for name in FILES if options.get(name)}
        # The map is part of every release, but not every layout needs it.
        if "video_map" in found and not found["video_map"].exists():
            del found["video_map"]
        return {**{name: value for name, value in options.items() if name not in FILES}, **found}
