"""PDF files written by hand, so that a test can say exactly what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
FILE_ID = bytes(range(16))


def pdf(pages: Sequence[tuple[float, float, str]], *, password: bytes | None = None) -> bytes:
    """Write pages of (width pt, height pt, text); each has a black square of 36 pt in its lower left corner.

    With a password the file is encrypted by RC4, 40 bits, and opens with nothing else.
    """
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    key = None if password is None else _file_key(password)
    for width, height, text in pages:
        shown = f"BT /F1 12 Tf 50 50 Td ({text}) Tj ET " if text else ""
        content = f"{shown}0 0 36 36 re f".encode()
        number = len(objects) + 2
        if key is not None:
            content = _rc4(hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10], content)
        page = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents {number} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        kids.append(f"{number - 1} 0 R")
        objects += [page.encode(), b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)]
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    if key is not None and password is not None:
        owner, user = _owner_entry(password), _rc4(key, PADDING)
        objects.append(b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (_hex(owner), _hex(user)))
    return _assemble(objects, encrypted=key is not None)


def _assemble(objects: Sequence[bytes], *, encrypted: bool) -> bytes:
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    extra = b" /Encrypt %d 0 R /ID [<%s> <%s>]" % (len(objects), _hex(FILE_ID), _hex(FILE_ID)) if encrypted else b""
    out += b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, extra, start)
    return bytes(out)


def _owner_entry(password: bytes) -> bytes:
    padded = (password + PADDING)[:32]
    return _rc4(hashlib.md5(padded).digest()[:5], padded)


def _file_key(password: bytes) -> bytes:
    padded = (password + PADDING)[:32]
    rights = (-4 & 0xFFFFFFFF).to_bytes(4, "little")
    return hashlib.md5(padded + _owner_entry(password) + rights + FILE_ID).digest()[:5]


def _rc4(key: bytes, content: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in content:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def _hex(content: bytes) -> bytes:
    return content.hex().encode()
