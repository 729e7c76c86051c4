"""Selectors: which experts are worth asking about a question, and why."""

from lavis.models.mexa_models.selectors.base import Frames, Selector
from lavis.models.mexa_models.selectors.fixed import AllSelector, FixedSelector, NoneSelector
from lavis.models.mexa_models.selectors.llm import LLMSelector
from lavis.models.mexa_models.selectors.oracle import OracleSelector
from lavis.models.mexa_models.selectors.rules import RulesSelector
from lavis.models.mexa_models.selectors.similarity import SimilaritySelector

__all__ = [
    "AllSelector",
    "FixedSelector",
    "Frames",
    "LLMSelector",
    "NoneSelector",
    "OracleSelector",
    "RulesSelector",
    "Selector",
    "SimilaritySelector",
]
