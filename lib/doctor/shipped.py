"""Files that come with the program, against ``asset/SHA256SUMS``, the table of their SHA-256.

    python -m lib.doctor.shipped      # renews the table
    sha256sum -c asset/SHA256SUMS     # what the doctor checks too

Texts that users edit, as settings are, have no place in it.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lib.doctor.finding import FAIL, OK, WARN, Finding

TABLE = Path("asset", "SHA256SUMS")
PATTERNS = (
    "asset/**/*.npz",
    "asset/**/*.jpg",
    "demo/*.json",
    "demo/*.npy",
    "demo/demo_input_img/*.jpg",
    "experiment/*_open/final.pth.tar",
)


def shipped_files(root: Path) -> Iterator[Finding]:
    """Whether every file of the table is there and has not changed by a bit."""
    table = root / TABLE
    if not table.is_file():
        yield Finding(WARN, "shipped files", f"no {TABLE}", f"git checkout {TABLE.as_posix()}")
        return
    entries = [line.split("  ", 1) for line in table.read_text(encoding="utf-8").splitlines()]
    for wanted, name in entries:
        if not (root / name).is_file():
            yield Finding(WARN, name, "not there", f"git checkout {name}")
        elif _sha256(root / name) != wanted:
            yield Finding(FAIL, name, f"damaged or changed: its SHA-256 is not that of {TABLE}", f"git checkout {name}")
    yield Finding(OK, "shipped files", f"{len(entries)} files of {TABLE} looked at")


def table_of(root: Path) -> str:
    """The table as it should be, a line per file, in the order of their names."""
    files = sorted({file.relative_to(root).as_posix() for pattern in PATTERNS for file in root.glob(pattern)})
    return "".join(f"{_sha256(root / name)}  {name}\n" for name in files)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    repository = Path(__file__).resolve().parents[2]
    (repository / TABLE).write_text(table_of(repository), encoding="utf-8", newline="\n")
