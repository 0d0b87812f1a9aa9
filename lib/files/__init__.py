"""Files: written whole or not at all; read without executing anything, in time and memory that their sizes bound."""

from lib.files.arrays import read_array, read_arrays
from lib.files.sections import replace_sections
from lib.files.texts import check_spread, parse_yaml, read_text, read_yaml
from lib.files.writing import atomic_write, hidden_beside, say_replaced, staged

__all__ = [
    "atomic_write",
    "check_spread",
    "hidden_beside",
    "parse_yaml",
    "read_array",
    "read_arrays",
    "read_text",
    "read_yaml",
    "replace_sections",
    "say_replaced",
    "staged",
]
