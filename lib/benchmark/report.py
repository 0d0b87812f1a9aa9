"""The printed tables."""

from collections.abc import Sequence

from lib.benchmark.rows import MEMORY_ROW, MESHNET_ROW, Row, Target

_HEADER = ("", "column", "ours", "plain", "ratio", "target", "", "throughput", "peak memory", "repeats")


def _seconds(value: float) -> str:
    if value >= 1:
        return f"{value:.2f} s"
    if value >= 1e-3:
        return f"{1e3 * value:.1f} ms"
    return f"{1e6 * value:.0f} us"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _gib(value: float) -> str:
    return f"{value / 2**30:.2f}"


def _verdict(target: Target, column: str, ratio: float) -> str:
    met = target.met(column, ratio)
    return "" if met is None else "met" if met else "missed"


def _smaller(row: Row, ours: dict, plain: dict) -> str:
    items = plain["items_per_repeat"]
    smaller = "" if items == ours["items_per_repeat"] else f", plain of {items:,} {row.unit}"
    return smaller + (f", plain as in {plain['like']}" if plain["like"] else "")


def _line(row: Row, column: str, figures: dict, quick: bool) -> tuple[str, ...]:
    ours, plain = figures["ours"], figures["plain"]
    # a side that does less work in a repeat is shown as if it did the other one's
    scale = ours["items_per_repeat"]
    return (
        row.text(quick),
        column,
        _seconds(scale * ours["seconds_per_item"]),
        _seconds(scale * plain["seconds_per_item"]),
        f"{figures['ratio']:.2f}x",
        row.target.text(column),
        _verdict(row.target, column, figures["ratio"]),
        f"{_rate(1 / ours['seconds_per_item'])} / {_rate(1 / plain['seconds_per_item'])} {row.unit}/s",
        f"{_gib(ours['peak_bytes'])} / {_gib(plain['peak_bytes'])} GiB",
        f"{len(ours['seconds'])} / {len(plain['seconds'])}{_smaller(row, ours, plain)}",
    )


def table(rows: list[Row], results: dict[str, dict], quick: bool) -> str:
    """All rows as text, ours / plain where two numbers stand together."""
    lines: list[tuple[str, ...]] = [_HEADER]
    for row in rows:
        for column, figures in results[row.name].items():
            lines.append(_line(row, column, figures, quick))
            name, title, target = MEMORY_ROW
            if name == row.name and column in target.ratio:
                ratio = figures["memory_ratio"]
                peaks = _gib(figures["ours"]["peak_bytes"]), _gib(figures["plain"]["peak_bytes"])
                verdict = _verdict(target, column, ratio)
                lines.append(
                    (title, column, *(f"{peak} GiB" for peak in peaks), f"{ratio:.2f}x", target.text(column), verdict)
                )
    if quick:  # the targets are for the full sizes
        lines = [(*line[:5], "", "", *line[7:]) for line in lines]
    return _aligned([tuple(line) + ("",) * (len(_HEADER) - len(line)) for line in lines])


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Text of a table, without empty columns."""
    used = [i for i in range(len(lines[0])) if any(line[i] for line in lines)]
    widths = {i: max(len(line[i]) for line in lines) for i in used}
    return "\n".join("  ".join(line[i].ljust(widths[i]) for i in used).rstrip() for line in lines)


def disagreements(rows: list[Row], results: dict[str, dict]) -> list[str]:
    """Rows in which the two sides gave different results."""
    return [
        f"{row.title} ({column}): ours {figures['ours']['check'][:5]}, plain {figures['plain']['check'][:5]}"
        for row in rows
        for column, figures in results[row.name].items()
        if figures["agree"] is False
    ]


def distances(rows: list[Row], results: dict[str, dict], quick: bool) -> list[str]:
    """How far meshes of rounded factors are from those of float32."""
    return [
        f"{row.text(quick)}: {found['mean_mm']:.3f} mm (mean), {found['largest_mm']:.2f} mm (largest) from float32; "
        f"within {found['within_mm']:g} mm (mean): {'met' if found['met'] else 'missed'}"
        for row in rows
        for figures in results[row.name].values()
        if (found := figures.get("distance")) is not None
    ]


def limits_text(rows: list[Row], limits: dict, quick: bool) -> str:
    """The second table: what no program avoids beside what ours took as run."""
    rates = limits["rates"]
    lines: list[tuple[str, ...]] = [("", "operations", "memory", "least time", "as run", "share")]
    for row in (*rows, MESHNET_ROW):
        if row.name in limits["rows"]:
            lines.append((row.text(quick), *_limit_cells(limits["rows"][row.name])))
    products = ", ".join(f"{rate / 1e9:.0f} GFLOP/s {name}" for name, rate in rates["products"].items())
    memory = f"reads {rates['reading'] / 1e9:.1f} GB/s, reads and writes {rates['updating'] / 1e9:.1f} GB/s"
    return f"Limits of this machine: dense products {products}; memory {memory}\n{_aligned(lines)}"


def _limit_cells(figures: dict) -> tuple[str, ...]:
    taken = "-" if figures["seconds"] is None else _seconds(figures["seconds"])
    if figures["least_seconds"] is None:
        return "-", "-", "-", taken, "-"
    operations: dict[str, float] = {}
    for phase in figures["phases"]:
        for name, count in phase["operations"].items():
            operations[name] = operations.get(name, 0.0) + count
    counted = " + ".join(f"{count / 1e9:.3g} GFLOP {name}" for name, count in sorted(operations.items()))
    moved = sum(phase["read"] + phase["written"] for phase in figures["phases"])
    share = "-" if figures["share"] is None else f"{100 * figures['share']:.0f} %"
    return counted or "-", f"{moved / 1e9:.2f} GB", _seconds(figures["least_seconds"]), taken, share


def machine_text(machine: dict) -> str:
    products = "float32 products rounded to TF32" if machine["tf32"] else "no TF32"
    card = f"{machine['gpu']}; {products}; " if machine["gpu"] else ""
    return (
        f"{card}{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, {machine['memory_gib']} GiB; "
        f"Python {machine['python']}, torch {machine['torch']}, numpy {machine['numpy']}; {machine['system']}"
    )
