"""Who answers: reasoners complete prompts, in this process, at a provider, or from a script."""

from lavis.reasoners.base import (
    AnswerForm,
    CallMonitor,
    Completion,
    Prompt,
    PromptAudio,
    PromptImage,
    Reasoner,
    Usage,
)

__all__ = ["AnswerForm", "CallMonitor", "Completion", "Prompt", "PromptAudio", "PromptImage", "Reasoner", "Usage"]
