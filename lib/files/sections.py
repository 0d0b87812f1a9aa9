"""Pages of which programs write a part."""

from pathlib import Path

from lib.files.texts import read_text
from lib.files.writing import atomic_write

_MOST = 1 << 20  # bytes of a page


def replace_sections(page: Path, kind: str, parts: dict[str, str]) -> None:
    """Replace what stands between ``<!-- KIND NAME -->`` and ``<!-- /KIND NAME -->``, for each name.

    Raises:
        FileNotFoundError, ValueError: no such file, or no such comments in it.
    """
    content = read_text(page, _MOST)
    for name, part in parts.items():
        start, end = f"<!-- {kind} {name} -->", f"<!-- /{kind} {name} -->"
        before, found, rest = content.partition(start)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"{page}: expected {start} and {end}, in which the figures of {name} stand")
        content = f"{before}{start}\n{part}\n{end}{after}"
    with atomic_write(page) as stream:
        stream.write(content)
