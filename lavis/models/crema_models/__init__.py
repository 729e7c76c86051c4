"""CREMA: modality queries fused in front of a frozen language model (arXiv 2402.05889)."""
