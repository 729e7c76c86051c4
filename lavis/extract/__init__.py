"""Extracting modalities from media: frames, flow, depth, normals and audio as the loaders read them."""

from lavis.extract.base import Extractor, Made, MapExtractor
from lavis.extract.media import Medium, find_media
from lavis.extract.work import Outcome, extract_all, extract_medium

__all__ = ["Extractor", "Made", "MapExtractor", "Medium", "Outcome", "extract_all", "extract_medium", "find_media"]
