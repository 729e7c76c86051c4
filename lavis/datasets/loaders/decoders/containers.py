"""Whether a video file is whole, from its container alone: the same answer whichever decoder reads it afterwards.

Decoders disagree about files that were cut off: some repeat the last frame, some conceal what is missing. The
containers of the suffixes that are accepted say how long they are, which needs no decoder.
"""

from __future__ import annotations

import io
from typing import BinaryIO

# Boxes of ISO/IEC 14496-12 and QuickTime that stand at the top of a file.
ISO_BOXES = frozenset(b"ftyp styp moov moof mdat mfra sidx ssix free skip wide pnot uuid meta emsg prft pdin".split())
EBML_MAGIC = b"\x1a\x45\xdf\xa3"
SEGMENT_ID = 0x18538067
# Level-1 elements of Matroska by id: SeekHead, Info, Tracks, Cluster, Cues, Tags, Attachments, Chapters, Void, CRC-32.
MATROSKA_IDS = frozenset(
    (0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1F43B675, 0x1C53BB6B, 0x1254C367, 0x1941A469, 0x1043A770, 0xEC, 0xBF)
)
# Further containers that a wrong suffix may hide and every decoder reads rightly: ASF (wmv) and FLV. Of transport and
# program streams, which are cut anywhere, decoders list different frames.
OTHER_MAGIC = (b"\x30\x26\xb2\x75", b"FLV\x01")


def defect(stream: BinaryIO) -> str | None:
    """Say what keeps a file from being a whole video.

    Playlists and other texts that a decoder would follow to further files are no video here.

    Args:
        stream: the file, open for reading and seekable.

    Returns:
        A phrase for an error message, or None where the container is whole or does not say its length.
    """
    size_bytes = stream.seek(0, io.SEEK_END)
    if not size_bytes:
        return "it is empty"
    stream.seek(0)
    head = stream.read(16)
    if head[4:8] in ISO_BOXES:
        return _iso(stream, size_bytes)
    if head.startswith(EBML_MAGIC):
        return _matroska(stream, size_bytes)
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return _riff(stream, size_bytes)
    if head.startswith(OTHER_MAGIC):
        return None
    return f"it begins like no container that is read, mp4, mov, mkv, webm or avi ({head[:8]!r})"


def _short(name: str, missing_bytes: int) -> str:
    return f"its {name} goes on for {missing_bytes} bytes past the end of the file"


def _iso(stream: BinaryIO, size_bytes: int) -> str | None:
    """Walk the boxes at the top of an mp4 or mov file."""
    offset = 0
    has_index = False
    while offset + 8 <= size_bytes:
        stream.seek(offset)
        head = stream.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind not in ISO_BOXES:
            break  # what others have appended is no box
        if length == 1:
            if len(head) < 16:
                return "its last box is cut off"
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size_bytes - offset
        if length < 8:
            return f"its {kind.decode()} box is damaged"
        has_index = has_index or kind in (b"moov", b"moof")
        if offset + length > size_bytes:
            return _short(f"{kind.decode()} box", offset + length - size_bytes)
        offset += length
    if not has_index:
        return "it has no moov box, which is written last: the recording or the copy was not finished"
    return "its last box is cut off" if 0 < size_bytes - offset < 8 and offset else None


def _matroska(stream: BinaryIO, size_bytes: int) -> str | None:
    """Walk the elements of a Matroska or WebM file; live recordings leave lengths open."""
    stream.seek(0)
    element = _element(stream, 0)
    if element is None:
        return "its header is cut off"
    offset = element[1] + (element[2] or 0)
    element = _element(stream, offset)
    if element is None or element[0] != SEGMENT_ID:
        return "it has no segment after its header"
    _, offset, length = element
    end = size_bytes if length is None else offset + length
    if end > size_bytes:
        return _short("segment", end - size_bytes)
    while offset < end:
        element = _element(stream, offset)
        if element is None or element[0] not in MATROSKA_IDS:
            # Only a length that is written says that what follows is still video and not appended by someone.
            return f"its data from byte {offset} on are damaged" if length is not None or not element else None
        if element[2] is None:
            return None
        offset = element[1] + element[2]
        if offset > size_bytes:
            return _short("last cluster", offset - size_bytes)
    return None


def _element(stream: BinaryIO, offset: int) -> tuple[int, int, int | None] | None:
    """Return (id, where its content begins, length or None where it is open) of an EBML element; None at the end."""
    stream.seek(offset)
    head = stream.read(12)
    if not head or not head[0]:
        return None
    id_bytes = 9 - head[0].bit_length()
    if len(head) <= id_bytes or not head[id_bytes]:
        return None
    size_bytes = 9 - head[id_bytes].bit_length()
    if len(head) < id_bytes + size_bytes:
        return None
    raw = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big")
    open_length = (1 << 7 * size_bytes) - 1
    length = raw & open_length
    begins = offset + id_bytes + size_bytes
    return int.from_bytes(head[:id_bytes], "big"), begins, None if length == open_length else length


def _riff(stream: BinaryIO, size_bytes: int) -> str | None:
    """Walk the RIFF chunks of an avi file; large files have several."""
    offset = 0
    while offset + 8 <= size_bytes:
        stream.seek(offset)
        head = stream.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            break  # appended bytes, or a recording that was never finished and does not say its length
        offset += 8 + length
        if offset > size_bytes:
            return _short("RIFF chunk", offset - size_bytes)
        offset += length % 2
    return None
