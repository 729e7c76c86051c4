"""Packages that only some modalities need, imported when their first file is read."""

from __future__ import annotations

import importlib
from typing import Any

from lavis.common.errors import ConfigError


def required(package: str, *, modality: str) -> Any:
    """Import a package.

    Raises:
        ConfigError: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"{modality} needs the package {package}, which cannot be imported ({error}): "
            f"pip install 'salesforce-lavis[media]'."
        ) from error
