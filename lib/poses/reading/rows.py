"""Text tables as rows of cells: separators, decimal commas, titles."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.files import read_text
from lib.poses.reading.content import refuse_binary

_MOST = 1 << 28  # bytes


def read_table(path: Path) -> list[list[str]]:
    """Rows of a text file with commas, semicolons, tabs or spaces between the values.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no text, or too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"pose file {path} not found")
    refuse_binary(path)
    lines = read_text(path, _MOST).lstrip("\ufeff").splitlines()
    while lines and (lines[0].startswith("#") or not lines[0].strip()):
        lines.pop(0)
    first = lines[0] if lines else ""
    separator = max(";\t,", key=first.count)  # where commas are decimal points there are fewer others
    separator = ";" if ";" in first else separator
    if first.count(separator):
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    else:
        rows = [line.split() for line in lines]
    rows = [[value.strip() for value in row] for row in rows if any(value.strip() for value in row)]
    trailing = bool(rows) and all(len(row) == len(rows[0]) and not row[-1] for row in rows)
    return [row[:-1] for row in rows] if trailing else rows


def is_number(text: str) -> bool:
    try:
        to_float(text)
    except ValueError:
        return False
    return True


def to_float(text: str) -> float:
    """A number with a decimal point or comma; nothing is NaN.

    Raises:
        ValueError: no number.
    """
    return float(text.replace(",", ".") if "." not in text else text) if text else np.nan


def titles_of(row: Sequence[str]) -> list[str]:
    """Titles of columns in one spelling: ``Frame Number`` is ``frame_number``."""
    return [re.sub("[^a-z0-9]+", "_", value.lower()).strip("_") for value in row]
