"""What sounds, by a local CLAP model: which of a list of names fits each stretch best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.card import ExpertCard
from lavis.experts.served.beginning import beginning
from lavis.experts.served.local_model import LocalModelExpert, at_rate
from lavis.experts.words import listed

# What CLAP's models were trained on at once.
STRETCH_S = 10.0
LEAST_S = 1.0
LABELS = (
    *("a man speaking", "a woman speaking", "a child speaking", "a crowd", "laughter", "crying", "singing", "applause"),
    *(
        "a dog barking",
        "a cat",
        "birds",
        "insects",
        "a rooster",
        "a cow",
        "a horse",
        "rain",
        "thunder",
        "wind",
        "water",
    ),
    *("a car engine", "a motorcycle", "a truck", "a train", "an aeroplane", "a helicopter", "a siren", "a car horn"),
    *("footsteps", "a door", "knocking", "a telephone", "an alarm", "a bell", "typing", "glass breaking", "a machine"),
    *("a vacuum cleaner", "cooking", "an explosion", "gunshots", "fire", "a guitar", "a piano", "drums", "a violin"),
    *("a flute", "a trumpet", "a saxophone", "an accordion", "electronic music", "an orchestra", "silence", "noise"),
)


class ClapExpert(LocalModelExpert):
    """Names what is heard in every 10 s, out of a list; a name outside the list is never said.

    Args:
        model, device: as of :class:`LocalModelExpert`.
        labels: names to choose from; None for this module's list of common sounds.
        prompt: how a name is put to the model.
        n_labels: told for a stretch at most.
        min_share: of the list's probability that a name must have to be told.
        max_s: so much of the sound is heard at most, in s; what is left out is told.
    """

    card = ExpertCard(
        name="clap",
        modality="audio",
        skill="B2",
        summary="what sounds in every 10 s, out of a list of names, with probabilities",
        version="1",
        cost="local",
    )

    def __init__(
        self,
        *,
        model: str | None = None,
        device: str | None = None,
        labels: Sequence[str] | None = None,
        prompt: str = "This is a sound of {}.",
        n_labels: int = 3,
        min_share: float = 0.1,
        max_s: float = 600.0,
    ) -> None:
        super().__init__(model=model, device=device)
        where = "model.experts.clap"
        self.labels = tuple(LABELS if labels is None else labels)
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels) or not all(self.labels):
            raise ConfigError(f"{where}.labels: give two or more different names.")
        if "{}" not in prompt:
            raise ConfigError(f"{where}.prompt: {prompt!r} has no {{}} where the name goes.")
        if n_labels < 1 or not 0 <= min_share <= 1 or not max_s > 0:
            raise ConfigError(f"{where}: n_labels is 1 or more, min_share 0 to 1, max_s above 0.")
        self.prompt = prompt
        self.n_labels = n_labels
        self.min_share = min_share
        self.max_s = max_s
        self._model: tuple[Any, Any] | None = None

    def write(self, loaded: Clip, **needs: Any) -> str:
        """Name what sounds.

        Args:
            loaded: audio [n] float32, full scale 1.
            needs: nothing.

        Returns:
            A line for each stretch: ``0.0 s to 10.0 s: probably a dog barking (0.83)``.

        Raises:
            ModalityError: there is no sound; names the medium and the path.
            WeightsError: the model cannot be loaded.
        """
        sound, rate_hz, left_out = beginning(loaded, self.max_s)
        stretches = _stretches(sound, rate_hz)
        shares = self._shares([stretch for _, stretch in stretches], rate_hz)
        first_s = loaded.timestamps_s[0] if loaded.timestamps_s else 0.0
        lines = [f"Which of {len(self.labels)} listed sounds fits best (0 … 1, shared out among the list):"]
        for (start, stretch), row in zip(stretches, shares, strict=True):
            begin_s = first_s + start / rate_hz
            lines.append(f"{begin_s:.1f} s to {begin_s + len(stretch) / rate_hz:.1f} s: {self._named(row)}")
        if left_out:
            lines.append(left_out)
        return "\n".join(lines)

    def _named(self, shares: Array) -> str:
        best = sorted(range(len(shares)), key=lambda k: (-round(float(shares[k]), 6), k))[: self.n_labels]
        told = [f"{self.labels[k]} ({shares[k]:.2f})" for k in best if shares[k] >= self.min_share]
        return f"probably {listed(told)}" if told else "none of them stands out"

    def _shares(self, stretches: Sequence[Array], rate_hz: float) -> Array:
        """Return how the list's probability is shared out, [stretches, labels]."""
        import torch

        with self.turn:
            if self._model is None:
                self._model = self.loaded("ClapModel")
            processor, network = self._model
            to_hz = float(processor.feature_extractor.sampling_rate)
            names = processor.tokenizer(
                [self.prompt.format(label) for label in self.labels], padding=True, return_tensors="pt"
            )
            rows = []
            with torch.inference_mode():
                for stretch in stretches:  # one by one: a batch's padding changes what is heard
                    heard = processor.feature_extractor(
                        at_rate(stretch, rate_hz, to_hz), sampling_rate=int(to_hz), return_tensors="pt"
                    )
                    given = {**names.to(network.device), **heard.to(network.device)}
                    rows.append(network(**given).logits_per_audio[0].float().softmax(-1).cpu().numpy())
        return np.stack(rows)


def _stretches(sound: Array, rate_hz: float) -> list[tuple[int, Array]]:
    """Return (first sample, samples) of every 10 s; a last one shorter than 1 s belongs to the one before."""
    n = round(STRETCH_S * rate_hz)
    starts = list(range(0, len(sound), n))
    if len(starts) > 1 and len(sound) - starts[-1] < LEAST_S * rate_hz:
        starts.pop()
    ends = [*starts[1:], len(sound)]
    return [(start, sound[start:end]) for start, end in zip(starts, ends, strict=True)]
