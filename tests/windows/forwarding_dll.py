"""Write the DLL that Wine 8 lacks: bcryptprimitives.dll, from which programs in Rust take their random numbers.

It holds no code: its one function, ProcessPrng, is forwarded to the one that Windows had before, with the same
arguments.  xllamacpp, cryptography and rpds are among the wheels that need it.  Windows has it from version 8 on.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

PAGE, FILE_PART = 0x1000, 0x200  # how sections are aligned in memory and in the file


def dll(name: str, function: str, forwarded_to: str) -> bytes:
    """Return a DLL for x86-64 that forwards one function.

    :param forwarded_to: such as ``"ADVAPI32.SystemFunction036"``
    """
    texts = b"".join(text.encode() + b"\0" for text in (name, function, forwarded_to))
    first_text = PAGE + 40 + 4 + 4 + 2  # behind the directory and its three tables, of one entry each
    second_text = first_text + len(name) + 1
    third_text = second_text + len(function) + 1
    directory = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, first_text, 1, 1, 1, PAGE + 40, PAGE + 44, PAGE + 48)
    exports = directory + struct.pack("<IIH", third_text, second_text, 0) + texts

    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE", 0x8664, 1, 0, 0, 0, 240, 0x2022)  # executable, large addresses, a DLL
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0, FILE_PART, 0, 0, PAGE)
    optional += struct.pack(
        "<QII6HIIIIHH", 0x180000000, PAGE, FILE_PART, 6, 0, 0, 0, 6, 0, 0, 2 * PAGE, FILE_PART, 0, 3, 0x100
    )
    optional += struct.pack("<4QII", 0x100000, PAGE, 0x100000, PAGE, 0, 16)
    optional += struct.pack("<II", PAGE, len(exports)) + bytes(15 * 8)
    section = struct.pack("<8sIIIIIIHHI", b".edata", len(exports), PAGE, FILE_PART, FILE_PART, 0, 0, 0, 0, 0x40000040)
    headers = dos + coff + optional + section
    return headers.ljust(FILE_PART, b"\0") + exports.ljust(FILE_PART, b"\0")


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(dll("bcryptprimitives.dll", "ProcessPrng", "ADVAPI32.SystemFunction036"))
