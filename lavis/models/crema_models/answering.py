"""How CREMA's language model answers: by an option's letter, in text, or by the likelihood of given answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from lavis.common.errors import ConfigError
from lavis.common.options import check_options
from lavis.models.crema_models.assembly import Span
from lavis.models.crema_models.language import IGNORED
from lavis.models.crema_models.settings import CremaSettings

if TYPE_CHECKING:
    from lavis.models.crema_models.network import CremaNetwork

# "A" … "E" in T5's vocabulary.
OPTION_IDS = (71, 272, 205, 309, 262)


@dataclasses.dataclass(frozen=True)
class Generation:
    """How a text is generated.

    Attributes:
        num_beams: 1 takes the likeliest token each time.
        max_length, min_length: tokens of the answer.
        length_penalty: above 0 prefers longer answers, below 0 shorter ones.
        repetition_penalty: 1 for none.
    """

    num_beams: int = 5
    max_length: int = 30
    min_length: int = 1
    length_penalty: float = 1.0
    repetition_penalty: float = 1.0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Generation:
        """Return checked options.

        Raises:
            ConfigError: one that there is not; names the nearest.
        """
        check_options(cls, options, "generate")
        return cls(**options)


class Answering:
    """Asks the language model.

    Args:
        network: holds it.
        settings: the form of an answer.
    """

    def __init__(self, network: CremaNetwork, settings: CremaSettings) -> None:
        self.network = network
        self.settings = settings

    def answers(self, span: Span, options: Generation) -> list[Any]:
        """Return answers in the form of ``downstream_task``: option numbers from 0, or texts."""
        if self.settings.downstream_task == "mcqa":
            chosen: list[int] = self.option_scores(span).argmax(dim=-1).tolist()
            return chosen
        return self.texts(span, options)

    def texts(self, span: Span, options: Generation) -> list[str]:
        """Return generated answers."""
        ids = self.network.t5_model.generate(
            inputs_embeds=span.tokens,
            attention_mask=span.mask,
            do_sample=False,
            num_beams=options.num_beams,
            # The decoder's first token counts, too.
            max_new_tokens=options.max_length,
            min_length=options.min_length,
            length_penalty=options.length_penalty,
            repetition_penalty=options.repetition_penalty,
        )
        return self.network.vocabulary.read(ids)

    def option_scores(self, span: Span) -> torch.Tensor:
        """Return the logits of the options' letters [b, answer_num].

        They are those of the second token, after the likeliest first one ("Option"); of the first, where that ends
        the answer.
        """
        model = self.network.t5_model
        encoded = model.get_encoder()(inputs_embeds=span.tokens, attention_mask=span.mask)
        start = torch.full((len(span.tokens), 1), model.config.decoder_start_token_id, device=span.tokens.device)
        first = self._next(encoded, span, start)
        likeliest = first.argmax(dim=-1, keepdim=True)
        second = self._next(encoded, span, torch.cat([start, likeliest], dim=1))
        scores = torch.where(likeliest == model.config.eos_token_id, first, second)
        return scores[:, list(OPTION_IDS[: self.settings.answer_num])]

    def rank(self, span: Span, candidates: Sequence[str]) -> torch.Tensor:
        """Return the log-likelihood [b, n] of each of n answers, in nats.

        Raises:
            ConfigError: there is no answer to rank.
        """
        if not candidates:
            raise ConfigError("There is no answer to rank; name answer_list.")
        model, spelled = self.network.t5_model, self.network.vocabulary.spell(candidates)
        encoded = model.get_encoder()(inputs_embeds=span.tokens, attention_mask=span.mask)
        columns = []
        for ids, mask in zip(spelled.ids, spelled.mask, strict=True):
            labels = ids[: int(mask.sum())].to(span.tokens.device).expand(len(span.tokens), -1)
            logits = model(encoder_outputs=encoded, attention_mask=span.mask, labels=labels).logits
            told = logits.float().log_softmax(dim=-1).gather(-1, labels[..., None])[..., 0]
            columns.append(told.masked_fill(labels == IGNORED, 0.0).sum(dim=-1))
        return torch.stack(columns, dim=1)

    def _next(self, encoded: Any, span: Span, said: torch.Tensor) -> torch.Tensor:
        output = self.network.t5_model(
            encoder_outputs=encoded, attention_mask=span.mask, decoder_input_ids=said, use_cache=False
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits
