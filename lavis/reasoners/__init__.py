"""Who answers: reasoners complete prompts, in this process, at a provider, or from a script."""

from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner, Usage

__all__ = ["AnswerForm", "Completion", "Prompt", "Reasoner", "Usage"]
