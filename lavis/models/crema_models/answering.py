"""How CREMA's language model answers: by an option's letter, in text, or by the likelihood of given answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from lavis.common.errors import ConfigError
from lavis.common.options import check_options
from lavis.models.crema_models.assembly import Span
from lavis.models.crema_models.settings import CremaSettings

if TYPE_CHECKING:
    from lavis.models.crema_models.network import CremaNetwork


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
        model: Any = self.network.t5_model
        ids = model.generate(
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
        model: Any = self.network.t5_model
        encoded = model.get_encoder()(inputs_embeds=span.tokens, attention_mask=span.mask)
        start = self._start(span)
        first = self._next(encoded, span, start)
        likeliest = first.argmax(dim=-1, keepdim=True)
        second = self._next(encoded, span, torch.cat([start, likeliest], dim=1))
        scores = torch.where(likeliest == model.config.eos_token_id, first, second)
        return scores[:, list(self.network.vocabulary.option_ids(self.settings.answer_num))]

    def rank(self, span: Span, candidates: Sequence[str], *, n_candidates: int = 128) -> torch.Tensor:
        """Return the log-likelihood [b, n] of each of n answers, in nats.

        Args:
            span: what the language model reads.
            candidates: the answers.
            n_candidates: so many whose first token is likeliest count; the others have minus infinity.

        Raises:
            ConfigError: there is no answer to rank.
        """
        if not candidates:
            raise ConfigError("There is no answer to rank: the data set lists none (build_info.answer_vocabulary).")
        if n_candidates < 1:
            raise ConfigError(f"run.num_ans_candidates is {n_candidates}; it is 1 or more.")
        model: Any = self.network.t5_model
        spelled = self.network.vocabulary.spell(candidates)
        encoded = model.get_encoder()(inputs_embeds=span.tokens, attention_mask=span.mask)
        listed = self._shortlist(encoded, span, spelled.ids[:, 0].to(span.tokens.device), n_candidates)
        scores = torch.full(listed.shape, float("-inf"), device=span.tokens.device)
        for number, (ids, mask) in enumerate(zip(spelled.ids, spelled.mask, strict=True)):
            if not listed[:, number].any():
                continue
            labels = ids[: int(mask.sum())].to(span.tokens.device).repeat(len(span.tokens), 1)
            logits = model(encoder_outputs=encoded, attention_mask=span.mask, labels=labels).logits
            told = logits.float().log_softmax(dim=-1).gather(-1, labels[..., None])[..., 0].sum(dim=-1)
            scores[:, number] = told.masked_fill(~listed[:, number], float("-inf"))
        return scores

    def _shortlist(self, encoded: Any, span: Span, first_ids: torch.Tensor, n_candidates: int) -> torch.Tensor:
        """Return which of n answers are ranked for each of a batch, [b, n]: by the likelihood of the first token."""
        batch, n = len(span.tokens), len(first_ids)
        if n <= n_candidates:
            return torch.ones((batch, n), dtype=torch.bool, device=span.tokens.device)
        start = self._start(span)
        likely = self._next(encoded, span, start)[:, first_ids].topk(n_candidates, dim=1).indices
        return torch.zeros((batch, n), dtype=torch.bool, device=span.tokens.device).scatter(1, likely, True)

    def _start(self, span: Span) -> torch.Tensor:
        model: Any = self.network.t5_model
        start = model.config.decoder_start_token_id
        return torch.full((len(span.tokens), 1), start, device=span.tokens.device)

    def _next(self, encoded: Any, span: Span, said: torch.Tensor) -> torch.Tensor:
        model: Any = self.network.t5_model
        output = model(encoder_outputs=encoded, attention_mask=span.mask, decoder_input_ids=said, use_cache=False)
        logits: torch.Tensor = output.logits[:, -1]
        return logits
