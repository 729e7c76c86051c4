"""Vertices of PLY files: ASCII and both binary byte orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lavis.datasets.loaders.base import Array

DTYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}


def read_ply_vertices(path: Path) -> dict[str, Array]:
    """Return the vertex properties by name, each [n]; faces and what follows are not read.

    Raises:
        ValueError: no PLY file, a vertex list that is not first or holds lists, or fewer vertices than announced.
    """
    data = path.read_bytes()
    end = data.find(b"end_header")
    body = data.find(b"\n", end) + 1
    if not data.startswith(b"ply") or end < 0 or not body:
        raise ValueError("it has no PLY header")
    order, n_vertices, dtype = _header(data[:end].decode("ascii", errors="replace").splitlines())
    if order == "=":
        rows = data[body:].split(b"\n", n_vertices)[:n_vertices]
        names = dtype.names or ()
        table = np.array([tuple(float(value) for value in row.split()[: len(names)]) for row in rows if row.strip()])
        if table.shape != (n_vertices, len(names)):
            raise ValueError(f"it announces {n_vertices} vertices and holds {len(table)}")
        return {name: table[:, column].astype(dtype[name]) for column, name in enumerate(names)}
    held = (len(data) - body) // max(dtype.itemsize, 1)
    if held < n_vertices:
        raise ValueError(f"it announces {n_vertices} vertices and holds {held}")
    vertices = np.frombuffer(data, dtype, n_vertices, offset=body)
    return {name: np.ascontiguousarray(vertices[name]) for name in dtype.names or ()}


def _header(lines: list[str]) -> tuple[str, int, np.dtype[np.void]]:
    order, n_vertices, fields, element = "", -1, [], ""
    for words in (line.split() for line in lines):
        if words[:1] == ["format"] and len(words) > 1:
            order = ORDERS.get(words[1], "")
        elif words[:1] == ["element"] and len(words) == 3:
            if words[1] == "vertex":
                if element:
                    raise ValueError(f"its first element is {element!r}, not vertex")
                n_vertices = int(words[2])
            element = words[1]
        elif words[:1] == ["property"] and element == "vertex":
            if words[1] not in DTYPES or len(words) != 3:
                raise ValueError(f"its vertices have a property that is no number: {' '.join(words)!r}")
            fields.append((words[2], words[1]))
    if not order or n_vertices < 0 or not fields:
        raise ValueError("its header names no known format or no vertices")
    return order, n_vertices, np.dtype([(name, order + DTYPES[kind]) for name, kind in fields])
