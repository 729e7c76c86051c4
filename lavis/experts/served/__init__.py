"""Experts that ask a served or local model of the user's: nothing of it is heavy, and none works without a model."""
