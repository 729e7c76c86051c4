"""MEXA: selectors, prompts, answer filters and the aggregator."""
