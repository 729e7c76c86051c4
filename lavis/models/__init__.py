"""Models: built by name and type. Imported when asked for; they need torch."""

from __future__ import annotations

from typing import Any

from lavis.common.registry import import_place

__all__ = ["BaseModel", "load_model", "load_model_and_preprocess", "load_preprocess", "model_zoo"]

PLACES = {
    "BaseModel": "lavis.models.base_model:BaseModel",
    "ModelZoo": "lavis.models.zoo:ModelZoo",
    "load_model": "lavis.models.loading:load_model",
    "load_model_and_preprocess": "lavis.models.loading:load_model_and_preprocess",
    "load_preprocess": "lavis.models.loading:load_preprocess",
    "model_zoo": "lavis.models.zoo:model_zoo",
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_place(PLACES[name])
