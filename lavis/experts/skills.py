"""MEXA's eighteen skills: what an expert may be good for, by id (arXiv 2506.17113)."""

from __future__ import annotations

from collections.abc import Mapping

# A letter for the family, a digit for the skill; the last one answers from the raw sound and pictures together.
SKILLS: Mapping[str, str] = {
    "A1": "video description",
    "A2": "detailed image description",
    "A3": "short image description",
    "B1": "subtitles and speech",
    "B2": "sounds",
    "B3": "music",
    "C1": "3D scene",
    "C2": "situated 3D scene",
    "D1": "CT scan",
    "D2": "medical image",
    "E1": "text in pictures",
    "E2": "slides and posters",
    "E3": "PDF documents",
    "F1": "charts",
    "F2": "tables",
    "G1": "equations",
    "G2": "geometry",
    "omni": "sound and pictures together",
}
