"""Plug-ins: modules and files of a user's own, imported so that their decorators register."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from lavis.common.errors import ConfigError


def import_plugins(names: Iterable[str], folder: Path) -> None:
    """Import modules by name and files by path; what is imported already stays.

    Args:
        names: ``package.module``, or ``path/to/file.py`` relative to the working directory or to ``folder``.
        folder: where the configuration lies.

    Raises:
        ConfigError: a plug-in cannot be found or imported; names it and the reason.
    """
    for name in names:
        try:
            if str(name).endswith(".py"):
                _import_file(_found(str(name), folder))
            else:
                importlib.import_module(str(name))
        except ConfigError:
            raise
        except Exception as error:  # whatever a user's module raises while it is imported
            raise ConfigError(f"run.plugins: {name} cannot be imported: {type(error).__name__}: {error}") from error


def _found(name: str, folder: Path) -> Path:
    candidates = [Path(name).expanduser(), folder / name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise ConfigError(f"run.plugins: {name} is neither below {Path.cwd()} nor beside the configuration in {folder}.")


def _import_file(path: Path) -> None:
    loaded = sys.modules.get(path.stem)
    if loaded is not None and Path(getattr(loaded, "__file__", None) or "").resolve() == path:
        return
    if loaded is not None:
        raise ConfigError(
            f"run.plugins: {path} cannot be imported as {path.stem!r}, which is {loaded}; rename the file."
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"run.plugins: {path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
