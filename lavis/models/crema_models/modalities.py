"""The modalities that CREMA takes, as data: one list of specs, and the grammar of ``model.modalities``."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lavis.common.errors import ConfigError, nearest

# How a modality becomes tokens of the frozen encoders' width: pictures through the vision tower, sound through the
# audio encoder, point features as they are.
Source = Literal["pictures", "sound", "points"]


@dataclasses.dataclass(frozen=True)
class ModalitySpec:
    """One modality.

    Attributes:
        name: as in ``model.modalities`` and in the names of weights.
        source: how it is encoded.
        sample_key: where its tensor lies in a sample.
    """

    name: str
    source: Source
    sample_key: str


SPECS: dict[str, ModalitySpec] = {
    spec.name: spec
    for spec in (
        ModalitySpec("rgb", "pictures", "rgb"),
        ModalitySpec("depth", "pictures", "depth"),
        ModalitySpec("flow", "pictures", "flow"),
        ModalitySpec("norm", "pictures", "norm"),
        ModalitySpec("touch", "pictures", "touch"),
        ModalitySpec("thermal", "pictures", "thermal"),
        ModalitySpec("audio", "sound", "audio"),
        ModalitySpec("pc", "points", "pc_feat"),
    )
}
# The modality whose frames carry a prefix and that others are fused with.
MAIN = "rgb"
SKIP = "-skip"


@dataclasses.dataclass(frozen=True)
class Modality:
    """A modality of a model: its spec, and whether its adapter is left out (``-skip``)."""

    spec: ModalitySpec
    skips_adapter: bool = False

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    @property
    def is_pictures(self) -> bool:
        """Whether it has frames."""
        return self.spec.source == "pictures"


def read_modalities(text: str) -> tuple[Modality, ...]:
    """Read ``rgb_depth_norm`` or ``audio_rgb-skip``: names joined by ``_``, in the order of fusion.

    Raises:
        ConfigError: empty, unknown (names the nearest) or named twice.
    """
    found: list[Modality] = []
    for token in str(text).split("_"):
        name = token.removesuffix(SKIP)
        if name not in SPECS:
            raise ConfigError(
                f"model.modalities: {text!r} names {name!r}, which is no modality.{nearest(name, SPECS)} "
                f"Known, joined by '_': {', '.join(SPECS)}; each may end in {SKIP}."
            )
        if any(name == one.name for one in found):
            raise ConfigError(f"model.modalities: {text!r} names {name!r} twice.")
        found.append(Modality(SPECS[name], token.endswith(SKIP)))
    return tuple(found)
