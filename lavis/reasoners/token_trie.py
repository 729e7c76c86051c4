"""Choices as paths of tokens: which token may come next, so that a generated text is exactly one of them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lavis.common.errors import ReasonerError

LOWEST = -1e30  # of a token that may be said


@dataclasses.dataclass(frozen=True)
class Spelling:
    """A choice and its tokens: as the first of a list, and after another one (with the comma before it)."""

    text: str
    first: tuple[int, ...]
    further: tuple[int, ...] = ()


@dataclasses.dataclass
class TokenTrie:
    """Texts by their tokens; a node's ``text`` is the one that ends there, if any does."""

    children: dict[int, TokenTrie] = dataclasses.field(default_factory=dict)
    text: str | None = None

    @classmethod
    def of(cls, paths: Iterable[tuple[str, Sequence[int]]]) -> TokenTrie:
        """Build it from (text, tokens).

        Raises:
            ReasonerError: the tokens of two texts are the same, or a text has none: which of them is meant
                could not be told.
        """
        root = cls()
        for text, tokens in paths:
            node = root
            for token in tokens:
                node = node.children.setdefault(token, cls())
            if node is root:
                raise ReasonerError(f"The model's vocabulary cannot spell the choice {text!r}.")
            if node.text not in (None, text):
                raise ReasonerError(f"The model's vocabulary spells the choices {node.text!r} and {text!r} alike.")
            node.text = text
        return root


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a generation stands: in which trie's node, and which choices were named whole before it."""

    node: TokenTrie
    named: tuple[str, ...]


# Several, because "a, b" may be one choice or two.
Places = tuple[Place, ...]


class ChoiceGuide:
    """Leads a generation through one choice, or through several that differ, separated by commas.

    Args:
        spellings: every choice with its tokens.
        max_choices: how many may be named.

    Raises:
        ReasonerError: there is no choice, or two cannot be told apart by their tokens.
    """

    def __init__(self, spellings: Sequence[Spelling], *, max_choices: int = 1) -> None:
        if not spellings:
            raise ReasonerError("There is no choice to be held to.")
        self.spellings = tuple(dict.fromkeys(spellings))
        self.max_choices = max_choices
        self.start: Places = (Place(TokenTrie.of((each.text, each.first) for each in self.spellings), ()),)

    @functools.cached_property
    def longest(self) -> int:
        """The most tokens that the choices can take, without an end token."""
        by_length = sorted(self.spellings, key=lambda each: len(each.further), reverse=True)
        lengths = []
        for first in self.spellings:
            others = (len(each.further) for each in by_length if each is not first)
            lengths.append(len(first.first) + sum(itertools.islice(others, self.max_choices - 1)))
        return max(lengths)

    def allowed(self, places: Places) -> set[int]:
        """Return the tokens that may come next; none where the text can only end."""
        return {token for node in self._open(places) for token in node.node.children}

    def may_end(self, places: Places) -> bool:
        """Return whether a choice is complete here."""
        return any(place.node.text is not None for place in places)

    def step(self, places: Places, token: int) -> Places:
        """Return where a generation stands after another token.

        Raises:
            ValueError: the token was not allowed.
        """
        following = tuple(
            Place(place.node.children[token], place.named)
            for place in self._open(places)
            if token in place.node.children
        )
        if not following:
            raise ValueError(f"token {token} is not on any choice's path")
        return following

    def text(self, places: Places) -> str:
        """Return the text that ends here; where it can be read in two ways, both read the same.

        Raises:
            ValueError: no choice is complete here.
        """
        for place in places:
            if place.node.text is not None:
                return ", ".join((*place.named, place.node.text))
        raise ValueError("no choice is complete here")

    def _open(self, places: Places) -> Iterator[Place]:
        """Yield the places themselves and, after a whole choice, the beginning of the next one."""
        for place in places:
            yield place
            if place.node.text is not None:
                named = (*place.named, place.node.text)
                if len(named) < self.max_choices and len(named) < len(self.spellings):
                    yield Place(self._further(frozenset(named)), named)

    def _further(self, named: frozenset[str]) -> TokenTrie:
        if named not in self._tries:
            left = (each for each in self.spellings if each.text not in named)
            self._tries[named] = TokenTrie.of((each.text, each.further) for each in left)
        return self._tries[named]

    @functools.cached_property
    def _tries(self) -> dict[frozenset[str], TokenTrie]:
        return {}


class BatchGuide:
    """Follows the rows of one generation: what each may say next, and which have ended.

    Its two methods are a logits processor and a stopping criterion of the transformers library. Prompts are
    padded on the left, so that what was generated begins in one column for all rows.

    Args:
        guides: a row's choices; None where it may say anything.
        limits: tokens at most, for each row without choices; choices end by themselves.
        width: columns of the padded prompts.
        end_ids: tokens that end a text.
    """

    def __init__(
        self, guides: Sequence[ChoiceGuide | None], limits: Sequence[int], *, width: int, end_ids: Sequence[int]
    ) -> None:
        self.guides = guides
        self.limits = limits
        self.width = width
        self.end_ids = frozenset(end_ids)
        self.places: list[Places] = [() if guide is None else guide.start for guide in guides]
        self.ended = [False] * len(guides)
        self.n_said = [0] * len(guides)
        self.at_end = [False] * len(guides)  # whether an end token was said

    def mask(self, input_ids: Any, scores: Any) -> Any:
        """Return scores [rows, vocabulary] with minus infinity for whatever a row must not say."""
        scores = scores.clone()
        for row, guide in enumerate(self.guides):
            if guide is None or self.ended[row]:
                continue
            tokens = guide.allowed(self.places[row])
            allowed = sorted(tokens | self.end_ids if guide.may_end(self.places[row]) else tokens)
            # A score that is no finite number must not make a forbidden token the greatest.
            kept = scores[row, allowed].nan_to_num(nan=LOWEST, posinf=-LOWEST, neginf=LOWEST)
            scores[row] = -math.inf
            scores[row, allowed] = kept
        return scores

    def follow(self, input_ids: Any, scores: Any) -> Any:
        """Take in each row's last token; return which rows have ended, as booleans [rows]."""
        n_generated = input_ids.shape[1] - self.width
        for row, token in enumerate(input_ids[:, -1].tolist()):
            if self.ended[row]:
                continue
            self.n_said[row] = n_generated
            guide = self.guides[row]
            if token in self.end_ids:
                self.ended[row] = self.at_end[row] = True
            elif guide is None:
                self.ended[row] = n_generated >= self.limits[row]
            else:
                self.places[row] = guide.step(self.places[row], token)
                self.ended[row] = not guide.allowed(self.places[row])
        return input_ids.new_tensor(self.ended).bool()
