"""Files by their ending: json, jsonl, csv, txt, npy and yaml, read and written; never a pickle."""

from __future__ import annotations

import csv
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lavis.common.errors import ConfigError

logger = logging.getLogger(__name__)
AnyPath = str | os.PathLike[str]


def load_json(filename: AnyPath) -> Any:
    """Read a JSON file.

    Raises:
        ConfigError: it is no JSON; names the file, the line and the column.
        OSError: it cannot be read.
    """
    return _load_json(Path(filename))


def strict_json(text: str) -> Any:
    """Return what JSON text holds.

    Raises:
        ValueError: no JSON, nested too deeply, NaN or an infinity, which JSON has not, or a key that stands twice in
            one object.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}, which JSON has not; write null or leave the entry out")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice!r} stands twice in one object; which of the two counts?")
    return entry


def load_file(filename: AnyPath, mmap_mode: Any = None, verbose: bool = True, allow_pickle: bool = False) -> Any:
    """Read a file by its ending: json, jsonl, csv (a dict per row), txt (a str per line), npy, yaml.

    Args:
        filename: the file.
        mmap_mode: of an npy file, which is then not read but mapped ("r").
        verbose: log the name.
        allow_pickle: must be False; a pickle runs code.

    Raises:
        ConfigError: another ending, a file that is not what its ending says, or ``allow_pickle``.
        OSError: it cannot be read.
    """
    if allow_pickle:
        raise ConfigError(f"{filename}: pickles run code and are not read; save it as npy, json or safetensors.")
    path = Path(filename)
    load = _by_ending(path, LOADERS)
    if verbose:
        logger.info("Loading %s.", path)
    return _load_npy(path, mmap_mode) if mmap_mode else load(path)


def save_file(data: Any, filename: AnyPath, append_to_json: bool = False, verbose: bool = True) -> None:
    """Write a file by its ending, as :func:`load_file` reads it.

    Args:
        data: for jsonl and txt a list of lines' values, for csv a list of dicts with equal keys.
        filename: the file; its folder is made.
        append_to_json: add ``data`` as one more line to a jsonl file.
        verbose: log the name.

    Raises:
        ConfigError: another ending, or appending to anything but jsonl.
        OSError: it cannot be written.
    """
    path = Path(filename)
    save = _by_ending(path, SAVERS)
    if append_to_json and path.suffix != ".jsonl":
        raise ConfigError(f"{path}: values are appended to .jsonl files; two in a {path.suffix} cannot be read back.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if append_to_json:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(data, ensure_ascii=False) + "\n")
    else:
        save(path, data)
    if verbose:
        logger.info("Saved %s.", path)


def _by_ending(path: Path, known: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    ending = path.suffix.lower()
    if ending not in known:
        raise ConfigError(f"{path}: files ending in {ending!r} are not handled; use one of {', '.join(sorted(known))}.")
    return known[ending]


def _load_json(path: Path) -> Any:
    return _parse_json(path.read_text(encoding="utf-8"), path, 1)


def _parse_json(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {line + error.lineno - 1}, column {error.colno}"
        raise ConfigError(f"{path}: is no JSON at {where} ({error.msg}).") from error


def _load_jsonl(path: Path) -> list[Any]:
    lines = _load_txt(path)
    return [_parse_json(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def _load_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _load_txt(path: Path) -> list[str]:
    # Not splitlines(): a text may hold U+2028 and its like inside a line.
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _load_npy(path: Path, mmap_mode: Any = None) -> Any:
    from lavis.common.arrays import load_array

    if path.suffix.lower() != ".npy":
        raise ConfigError(f"{path}: only npy files can be mapped.")
    try:
        return load_array(path, mmap_mode)
    except ValueError as error:
        raise ConfigError(f"{path}: is no array of plain numbers ({error}).") from error


def _load_yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is no plain YAML ({error}).") from error


def _save_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _save_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _save_npy(path: Path, data: Any) -> None:
    import numpy as np

    np.save(path, data, allow_pickle=False)


def _save_yaml(path: Path, data: Any) -> None:
    import yaml

    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")


LOADERS: dict[str, Callable[[Path], Any]] = {
    ".json": _load_json,
    ".jsonl": _load_jsonl,
    ".csv": _load_csv,
    ".txt": _load_txt,
    ".npy": _load_npy,
    ".yaml": _load_yaml,
    ".yml": _load_yaml,
}
SAVERS: dict[str, Callable[[Path, Any], None]] = {
    ".json": lambda path, data: _save_lines(path, [json.dumps(data, ensure_ascii=False)]),
    ".jsonl": lambda path, data: _save_lines(path, (json.dumps(row, ensure_ascii=False) for row in data)),
    ".csv": _save_csv,
    ".txt": _save_lines,
    ".npy": _save_npy,
    ".yaml": _save_yaml,
    ".yml": _save_yaml,
}
