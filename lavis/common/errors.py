"""What can go wrong, by name: every error says what, where and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LavisError(Exception):
    """Anything this package raises on purpose."""


class ConfigError(LavisError, ValueError):
    """A configuration that cannot be run as written."""


class UnknownNameError(ConfigError):
    """A registry name that nothing carries."""


class AnnotationError(LavisError, ValueError):
    """An annotation file or record that cannot be used; names the file and the record."""


class ModalityError(LavisError, RuntimeError):
    """A medium that cannot be read in one modality; names question, medium and path."""


class WeightsError(LavisError, RuntimeError):
    """A weights file that is absent, truncated or not the one that was asked for."""


class ReasonerError(LavisError, RuntimeError):
    """A reasoner that could not complete a prompt."""


class ContextTooLongError(ReasonerError):
    """A prompt that does not fit into a model's context.

    Attributes:
        limit_tokens: of the context, where it is known.
        prompt_tokens: of the prompt, where it is known.
    """

    def __init__(self, message: str, *, limit_tokens: int | None = None, prompt_tokens: int | None = None) -> None:
        super().__init__(message)
        self.limit_tokens = limit_tokens
        self.prompt_tokens = prompt_tokens


class TooManyImagesError(ReasonerError):
    """A prompt with more pictures than a model takes.

    Attributes:
        limit_images: how many it takes, where it said so.
    """

    def __init__(self, message: str, *, limit_images: int | None = None) -> None:
        super().__init__(message)
        self.limit_images = limit_images


class ExpertError(LavisError, RuntimeError):
    """An expert that failed by itself: it raised, did not return in time, or could not ask its model."""


class ReasonerUnusableError(ReasonerError):
    """A reasoner that no question can be answered with (wrong key, unknown model, server gone): the run ends."""


class RunStoppedError(LavisError):
    """A run that stopped before its end on purpose and can be resumed: a budget is spent, or it was asked to stop."""


class JournalError(LavisError, OSError):
    """A journal that can no longer be written; what it holds is safe."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a name of ``kind`` that is not registered."""
    names = sorted(known)
    return UnknownNameError(f"Unknown {kind} {name!r}.{nearest(name, names)} Known: {', '.join(names) or 'none'}.")
