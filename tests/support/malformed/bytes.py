"""Damage of bytes: any file, pictures and films, text of words."""

import gzip
import random
import struct
from pathlib import Path


def damage_bytes(draw: random.Random, path: Path) -> str:
    """Cut, flip, insert, repeat."""
    data = path.read_bytes()
    size = len(data)
    at = draw.randrange(size + 1)
    noise = draw.randbytes(draw.choice((1, 4, 300)))
    kind = draw.choice(
        ("cut", "cut", "empty", "flip", "flip", "head", "insert", "zeros", "twice", "drop", "noise", "text")
    )
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(draw.choice((1, 8, 200)) if size else 0):
            changed[draw.randrange(size)] ^= 1 << draw.randrange(8)
        data = bytes(changed)
    elif kind == "head" and size:  # where formats keep sizes and kinds
        changed = bytearray(data)
        for _ in range(draw.choice((1, 2, 6))):
            changed[draw.randrange(min(size, 200))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
        data = bytes(changed)
    elif kind == "text":
        data = draw.choice(
            (b"\xff\xfe" + data[:2000].decode("latin-1").encode("utf-16-le"), b"\xef\xbb\xbf" + data,
            gzip.compress(data),
             b"<html>not found</html>", b"\n" * 1000, data.replace(b"\n", b"\r"), b"version https://git-lfs.github.com/spec/v1\n",
             b"PK\x03\x04" + data, b"\x93NUMPY" + data, b"\x80\x04" + data, b"\x1f\x8b" + data, b"null", b"7", b"[]",
             b"{}")
        )  # fmt: skip
    else:
        data = {
            "cut": data[:at],
            "empty": b"",
            "insert": data[:at] + noise + data[at:],
            "zeros": data[:at] + bytes(min(512, size - at)) + data[at + 512 :],
            "twice": data + data,
            "drop": data[:at] + data[at + draw.choice((1, 100)) :],
            "noise": draw.randbytes(2000),
            "head": data,
        }[kind]
    path.write_bytes(data)
    return f"bytes: {kind}"


def damage_picture(draw: random.Random, path: Path, sizes: tuple[int, ...] = (40, 56, 64, 48)) -> str:
    """Widths and heights in a picture's or a film's header become others.

    Args:
        sizes: numbers that are its width and height.
    """
    data = bytearray(path.read_bytes())
    changed = 0
    claim = draw.choice((0, 1, 3, 16, 30_000, 65_535, 100_000, 2**31 - 1, 2**32 - 1))
    for form in (">I", "<I", ">H", "<H"):
        most = 2 ** (8 * struct.calcsize(form)) - 1
        for size in sizes:
            old, new = struct.pack(form, size), struct.pack(form, min(claim, most))
            start = data.find(old)
            while start >= 0:
                if draw.random() < 0.7:
                    data[start : start + len(old)] = new
                    changed += 1
                start = data.find(old, start + len(old))
    if path.suffix == ".png" and len(data) > 33:
        import zlib

        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    return f"{changed} sizes become {claim}"


_WORDS = (
    "", "nan", "inf", "-inf", "1e400", "x", "{", "}", "-1", "0", "1000000000000000", "9" * 5000, "1_000", "\x1b[31m",
    "٣", "²",
    "MOTION", "HIERARCHY", "JOINT", "End Site", "Frames: 99999999999", "Frames: -1", "1e308", "OFFSET", "CHANNELS",
    "x" * 50_000,
    "\ud800", ",", '"', "\x00", "JOINT a { OFFSET 0 0 0 " * 3000,
)  # fmt: skip


def damage_text(draw: random.Random, path: Path) -> str:
    """Words and lines of a text become others."""
    text = path.read_bytes().decode("utf-8", "replace")
    done = []
    for _ in range(draw.choice((1, 1, 2, 5))):
        kind = draw.choice(("word", "word", "word", "line gone", "line twice", "lines"))
        parts = text.split(" ") if kind == "word" else text.splitlines(keepends=True)
        if not parts:
            continue
        at = draw.randrange(len(parts))
        if kind == "word":
            parts[at] = draw.choice(_WORDS)
            done.append(f"word {parts[at]!r:.30}")
        else:
            parts[at : at + 1] = {"line gone": [], "line twice": parts[at : at + 1] * 2}.get(
                kind, parts[at : at + 1] * 20_000
            )
            done.append(kind)
        text = (" " if kind == "word" else "").join(parts)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return "; ".join(done)
