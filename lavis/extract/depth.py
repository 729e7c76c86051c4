"""Depth from single pictures by a depth-estimation model of transformers."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import ConfigError, WeightsError
from lavis.datasets.loaders.base import Array
from lavis.extract.base import MapExtractor
from lavis.extract.layouts import Layout, millimetre_codes, npy, png, relative_codes, stretched

UNITS = ("m", "depth", "disparity")
# What models give, by the model_type of their config.json: metres, or values without a scale.
UNIT_OF_TYPE = {"zoedepth": "m", "glpn": "m", "depth_pro": "m", "dpt": "disparity"}
# Models whose config.json says which of the two they are.
ESTIMATION_TYPES = {"metric": "m", "relative": "disparity"}


def depth_layouts(unit: str) -> dict[str, Layout]:
    """Return the ways to store depth of a unit (``m``, or ``depth`` or ``disparity`` without a scale)."""
    if unit == "m":
        return {
            "float": Layout(".npy", npy("<f4")),
            "millimetres": Layout(".png", lambda depth_m: png(millimetre_codes(depth_m))),
            "image": Layout(".png", lambda depth_m: png(relative_codes(stretched(depth_m))), {"relative": "depth"}),
        }
    return {
        "float": Layout(".npy", lambda values: npy("<f4")(stretched(values)), {"relative": unit}),
        "image": Layout(".png", lambda values: png(relative_codes(stretched(values))), {"relative": unit}),
    }


class DepthExtractor(MapExtractor):
    """Writes depth at the size of the pictures: metres, or each frame's values stretched to 0 … 1.

    Args:
        model: a folder with config.json, preprocessor_config.json and safetensors, or a hub name.
        unit: what the model gives: ``m``, ``depth`` or ``disparity`` (larger is nearer); None asks its config.json.
        device: ``cpu``, ``cuda``, ``cuda:1``; None takes a GPU where there is one.
        batch: pictures at a time.
        layout, fps, fps_rule, rate_hz, size_px: as of :class:`MapExtractor`.

    Raises:
        ConfigError: the model's unit is not known, or a layout in millimetres of a model without metres.
        WeightsError: the model cannot be loaded.
    """

    loader_name = "depth"

    def __init__(
        self,
        *,
        model: str,
        unit: str | None = None,
        device: str | None = None,
        batch: int = 4,
        layout: str | None = None,
        fps: float | str = "all",
        fps_rule: str = "shown",
        rate_hz: float | None = None,
        size_px: Sequence[int] | None = None,
    ) -> None:
        if batch < 1:
            raise ConfigError(f"depth: batch must be at least 1, not {batch}.")
        self.place = str(Path(model).resolve()) if Path(model).is_dir() else model
        self.batch = batch
        self.device = device
        self._config = _loaded("AutoConfig", self.place)
        self.unit = unit or self._unit_of_config()
        if self.unit not in UNITS:
            raise ConfigError(f"depth: unit {self.unit!r} is not known; use one of {', '.join(UNITS)}.")
        self._network: Any = None
        super().__init__(layout=layout, fps=fps, fps_rule=fps_rule, rate_hz=rate_hz, size_px=size_px)

    def layouts(self) -> dict[str, Layout]:
        """Return ``float`` and ``image`` (8 bits, stretched per frame), and ``millimetres`` where the unit is m."""
        return depth_layouts(self.unit)

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold; the batch moves the last digits of floats."""
        return {**super().settings(), "model": self.place, "unit": self.unit, "batch": self.batch}

    def maps(self, pictures: Iterator[Array], *, media_id: str) -> Iterator[Array]:
        """Yield depth [h, w] float32."""
        import torch

        processor, network = self._ready()
        while batch := list(itertools.islice(pictures, self.batch)):
            inputs = processor(images=batch, return_tensors="pt").to(network.device)
            with torch.inference_mode():
                outputs = network(**inputs)
            sizes = [picture.shape[:2] for picture in batch]
            for found in processor.post_process_depth_estimation(outputs, target_sizes=sizes):
                yield found["predicted_depth"].float().cpu().numpy()

    def _unit_of_config(self) -> str:
        said = getattr(self._config, "depth_estimation_type", None)
        unit = ESTIMATION_TYPES.get(str(said)) or UNIT_OF_TYPE.get(self._config.model_type)
        if unit is None:
            raise ConfigError(
                f"depth: the config.json of {self.place} does not say whether a {self._config.model_type} model gives "
                f"metres; set --unit to one of {', '.join(UNITS)}."
            )
        return unit

    def _ready(self) -> tuple[Any, Any]:
        if self._network is None:
            import torch

            torch.set_num_threads(self.sampler.n_threads)
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            processor = _loaded("AutoImageProcessor", self.place)
            if not hasattr(processor, "post_process_depth_estimation"):
                raise ConfigError(f"depth: {self.place} has a {type(processor).__name__}, which is not one for depth.")
            # safetensors alone: nothing is unpickled.
            network = _loaded("AutoModelForDepthEstimation", self.place, use_safetensors=True)
            with _told(self.place):
                self._network = (processor, network.to(device).eval())
        processor, network = self._network
        return processor, network


def _loaded(class_name: str, place: str, **more: Any) -> Any:
    import transformers

    with _told(place):
        return getattr(transformers, class_name).from_pretrained(place, trust_remote_code=False, **more)


@contextlib.contextmanager
def _told(place: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, ImportError, KeyError) as error:
        first = str(error).strip().partition("\n")[0]
        raise WeightsError(
            f"depth: the model {place} cannot be loaded ({first}). Give a folder with config.json, "
            f"preprocessor_config.json and *.safetensors, or a hub name that can be reached."
        ) from error
