"""Growth as tables, printed and in a page."""

from pathlib import Path

from lib.benchmark.growth.kinds import KINDS
from lib.benchmark.growth.measure import Entries
from lib.files import replace_sections


def number_text(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def growth_table(name: str, entries: Entries) -> str:
    """A kind's entries as a Markdown table: a line for each size, a column for each quantity and series."""
    kind = KINDS[name]
    series = list(dict.fromkeys(entry["series"] for entry in entries))
    columns = [
        (quantity, one)
        for quantity in kind.quantities
        for one in series
        if any(quantity.key in entry for entry in entries if entry["series"] == one)
    ]
    found = {(entry["size"], entry["series"]): entry for entry in entries}
    head = [kind.axis, *(f"{quantity.title}{f' ({one})' if one else ''}" for quantity, one in columns)]
    lines = [head, ["---"] * len(head)]
    for size in sorted({entry["size"] for entry in entries}):
        values = [(quantity, found.get((size, one), {}).get(quantity.key)) for quantity, one in columns]
        lines.append([f"{size:,}", *("–" if value is None else number_text(q.factor * value) for q, value in values)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def growth_text(report: dict[str, Entries]) -> str:
    """All kinds as text."""
    return "\n\n".join(f"{KINDS[name].title}\n{growth_table(name, entries)}" for name, entries in report.items())


def update_page(page: Path, machine: str, report: dict[str, Entries]) -> None:
    """Replace what stands between ``<!-- growth NAME -->`` and ``<!-- /growth NAME -->`` by the kinds' tables, and by a
    description of the machine between those of the name ``machine``.

    Raises:
        FileNotFoundError, ValueError: no such file, or no such comments in it.
    """
    parts = {name: growth_table(name, entries) for name, entries in report.items() if entries}
    replace_sections(page, "growth", {"machine": machine, **parts})
