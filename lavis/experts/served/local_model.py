"""Experts with a model of the transformers library of their own: loaded once, safetensors alone, no code of others."""

from __future__ import annotations

import abc
import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lavis.common.errors import ReasonerError, WeightsError
from lavis.datasets.loaders.base import Array
from lavis.experts.base import Expert
from lavis.reasoners.chat_model import ChatModel


class LocalModelExpert(Expert):
    """An expert whose model is a folder or a hub name.

    Args:
        model: a folder with config.json, preprocessor_config.json and safetensors, or a hub name; without one the
            expert is unavailable.
        device: ``cpu``, ``cuda``, ``cuda:1``; None takes a GPU where there is one.
    """

    packages = ("torch", "transformers")

    def __init__(self, *, model: str | None = None, device: str | None = None) -> None:
        self.model = model
        self.device = device
        # Looks come from several threads; a network computes for one at a time, on all cores.
        self.turn = threading.Lock()
        self._fingerprint: str | None = None

    @abc.abstractmethod
    def write(self, loaded: Any, **needs: Any) -> str:
        """Return the evidence."""

    @classmethod
    def lacks(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what is missing: packages, and a model."""
        found = ("pip install 'salesforce-lavis[models]'",) if super().lacks(options) else ()
        named = f"model.experts=[{{name: {cls.card.name}, model: <folder or hub name>}}]"
        return found if options.get("model") else (*found, named)

    def deciding(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what decides the evidence: of the model its files, not where they lie or what computes them."""
        if self.model is None:
            return dict(options)
        if self._fingerprint is None:
            files = ChatModel(
                self.model, device=None, dtype=None, context_tokens=None, answer_form="text", enable_thinking=None
            )
            try:
                self._fingerprint = files.fingerprint()
            except ReasonerError as error:
                raise self.unloadable(error) from error
        own = {name: value for name, value in options.items() if name != "device"}
        return {**own, "model": self._fingerprint}

    def place(self) -> str:
        """Return the model's folder or hub name.

        Raises:
            WeightsError: the configuration names none.
        """
        if self.model is None:
            raise WeightsError(f"Expert {self.card.name!r} has no model: {'; '.join(self.lacks({}))}")
        return self.model

    def loaded(self, model_class: str) -> tuple[Any, Any]:
        """Return (processor, network) of the model, which is loaded by a class of transformers.

        Raises:
            WeightsError: it cannot be loaded.
        """
        place = self.place()
        with self.loading():
            import torch
            import transformers

            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            processor = transformers.AutoProcessor.from_pretrained(place, trust_remote_code=False)
            network, told = getattr(transformers, model_class).from_pretrained(
                place,
                use_safetensors=True,  # nothing is unpickled
                trust_remote_code=False,
                output_loading_info=True,
            )
            if missing := sorted(told["missing_keys"]):
                raise ValueError(f"{len(missing)} weights are not in its files, {missing[0]} among them")
            return processor, network.to(device).eval()

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """Turn what goes wrong while files are read into one error with the way out."""
        try:
            yield
        except (OSError, ValueError, RuntimeError, ImportError, KeyError, AttributeError) as error:
            raise self.unloadable(error) from error

    def unloadable(self, error: Exception) -> WeightsError:
        """Return the error that says how to name a model that can be loaded."""
        first = str(error).strip().partition("\n")[0]
        return WeightsError(
            f"model.experts.{self.card.name}.model: {self.model!r} cannot be loaded ({first}). Give a folder with "
            "config.json, preprocessor_config.json and *.safetensors, or a hub name that can be reached."
        )


def at_rate(sound: Array, from_hz: float, to_hz: float) -> Array:
    """Return a sound [n] at another rate, by its spectrum: nothing is added that it does not hold."""
    n_out = round(len(sound) * to_hz / from_hz)
    if n_out == len(sound) or not len(sound):
        return sound
    spectrum = np.fft.rfft(sound)
    kept = np.zeros(n_out // 2 + 1, dtype=spectrum.dtype)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.asarray(np.fft.irfft(kept, n_out) * (n_out / len(sound)), dtype=np.float32)
