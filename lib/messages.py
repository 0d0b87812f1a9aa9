"""What errors say: one line that names the file, with no more of what the file holds than a reader needs."""

import contextlib
import reprlib
from collections.abc import Iterable, Iterator

_LONGEST_LINE = 1500  # characters: room for advice; values of a file take few of them
_LONGEST_VALUE = 120
_OUT_OF_RANGE = (OverflowError, RecursionError)

_values = reprlib.Repr()
_values.maxlevel, _values.maxstring, _values.maxother = 2, 80, 80


def one_line(text: object, longest: int = _LONGEST_LINE) -> str:
    """A text without line breaks and control characters, cut after ``longest`` characters."""
    line = " ".join(str(text)[: 4 * longest].split())
    line = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    return line if len(line) <= longest else f"{line[: longest - 4]} ..."


def shown(value: object) -> str:
    """A value out of a user's file for a message, however large and nested it is."""
    try:
        return one_line(_values.repr(value), _LONGEST_VALUE)
    except ValueError:  # Python writes no number of thousands of digits
        return "a very large number"


def shown_name(name: object) -> str:
    """A key or name out of a user's file, for a message."""
    return one_line(name, 80) if isinstance(name, str) else shown(name)


def shown_names(names: Iterable) -> str:
    """The first names of many, for a message."""
    names = list(names)
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(map(shown_name, names[:6])) + more


@contextlib.contextmanager
def naming(where: object) -> Iterator[None]:
    """Errors about what a file holds start with ``where`` unless they have it in them; numbers out of range are such.

    Raises:
        FileNotFoundError, ValueError: the error of the block, with the name.
    """
    try:
        yield
    except (ValueError, OSError, *_OUT_OF_RANGE) as error:
        named = str(where) in str(error)
        if named and not isinstance(error, (*_OUT_OF_RANGE, UnicodeError)):
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(str(error) if named else f"{one_line(where, 200)}: {error}") from error
