"""Draw a text into a real PNG, with a small built-in font and nothing but zlib."""

from __future__ import annotations

import struct
import textwrap
import unicodedata
import zlib

_COLUMNS = 40
_LINES = 20
_SCALE = 2
_CELL_WIDTH, _CELL_HEIGHT = 6, 10
_MARGIN = 8
_PAPER, _INK = 0xF4, 0x20

# A glyph is 5 by 7 dots: seven rows from the top, each five bits as one base-32 digit.
_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,!?:;'\"()-+=/\\*#%&@$_[]<>|"
_SHAPES = """
    ehhvhhh uhhuhhu ehggghe uhhhhhu vgguggv vgguggg ehgnhhf hhhvhhh e44444e 72222ic hikokih ggggggv
    hrllhhh hhpljhh ehhhhhe uhhuggg ehhhlid uhhukih fgge11u v444444 hhhhhhe hhhhha4 hhhllla hha4ahh
    hhha444 v1248gv
    ehjlphe 4c4444e eh1248v v2421he 26aiv22 vgu11he 68guhhe v124888 ehhehhe ehhf12c
    0000000 00000cc 0000c48 4444404 eh12404 0cc0cc0 0cc0c48 4480000 aa00000 2488842 8422248 000e000
    044v440 00v0v00 11248gg gg84211 04lel40 aavavaa op248j3 cik8lid eh1dlle 4fke5u4 000000v e88888e
    e22222e 248g842 8421248 4444444
"""
_GLYPHS = dict(zip(_CHARACTERS, _SHAPES.split(), strict=True))
_UNKNOWN = "vhhhhhv"


def draw_png(text: str) -> bytes:
    """Draw ``text`` in dark dots on light paper: capitals without accents, wrapped, cut at the end.

    The text itself is kept whole in the image, as its description.
    """
    plain = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    lines = [line for paragraph in plain.splitlines() or [""] for line in textwrap.wrap(paragraph, _COLUMNS) or [""]][
        :_LINES
    ]
    width = (_COLUMNS * _CELL_WIDTH + 2 * _MARGIN) * _SCALE
    rows = [bytes([_PAPER]) * width] * (_MARGIN * _SCALE)
    for line in lines:
        for row in range(_CELL_HEIGHT):
            rows += [_draw_row(line, row, width)] * _SCALE
    rows += rows[: _MARGIN * _SCALE]
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 0, 0, 0, 0)  # 8 bits of grey
    pixels = zlib.compress(b"".join(b"\x00" + row for row in rows))  # each row unfiltered
    description = b"Description\x00\x00\x00\x00\x00" + text.encode()
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"iTXt", description),
            (b"IDAT", pixels),
            (b"IEND", b""),
        )
    )


def _draw_row(line: str, row: int, width: int) -> bytes:
    dots = bytearray([_PAPER]) * _MARGIN
    for character in line.upper()[:_COLUMNS]:
        digit = _GLYPHS.get(character, _UNKNOWN)[row] if row < 7 else "0"
        bits = int(digit, 32)
        dots += bytes(_INK if bits >> shift & 1 else _PAPER for shift in (4, 3, 2, 1, 0))
        dots.append(_PAPER)
    wide = bytes(dot for dot in dots for _ in range(_SCALE))
    return wide.ljust(width, bytes([_PAPER]))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
