"""Tables of docs/results.md, from the figures in asset/results."""

from collections.abc import Iterator, Sequence

from data.measure.results_sequences import sequence_rows, sequence_table
from data.measure.tables import head, line, mm
from lib.settings.setting import NETWORK, REFINED

_BASELINES = {"mean": "mean mesh", "linear": "linear", "nearest": "nearest neighbour"}
_TITLES = {"mano": "mano (hand)"}
_MAIN = ("MPJPE", "PA-MPJPE", "MPVPE", "PA-MPVPE")
_REGIONS = ("rigid MPVPE", "edge error", "turned triangles")


def tables(rows: Sequence, found: dict, speed: dict, published: dict, sequences: dict) -> dict[str, str]:
    """The page's tables by name.

    Args:
        rows: ``data.measure.results.BenchmarkRow`` in the order of measuring.
        found: key of a row -> its figures (``open.json``).
        speed: ``speed.json``; empty without.
        published: ``published.json``. sequences: ``sequences.json``.
    """
    known = [row for row in rows if row.key in found]
    figures = {row.key: found[row.key]["figures"] for row in known}
    earlier = [row for row in known if found[row.key].get("earlier")]
    note = ["", f"From earlier tables, to one decimal, not collected yet: {_counted(earlier)}."] if earlier else []
    parts = {
        "open": [*_open_table(known, figures), *note],
        "refined": _refined_table(known, figures),
        "regions": _regions(known, figures),
        "joints": _lifted(known, figures),
        "sequences": sequence_table(list(sequence_rows()), sequences),
        "speed": _speed(speed),
        "published": _published(published),
    }
    return {name: "\n".join(lines) for name, lines in parts.items()}


def _counted(rows: Sequence) -> str:
    """Rows by name, many of a model by their number."""
    parts = []
    for model in dict.fromkeys(row.model for row in rows):
        keys = [f"`{row.key}`" for row in rows if row.model == model]
        parts += keys if len(keys) <= 3 else [f"{len(keys)} rows of {_BASELINES.get(model, f'{model} surfaces')}"]
    return ", ".join(parts)


def _title(joint_set: str) -> str:
    return _TITLES.get(joint_set, joint_set)


def _open_table(rows: Sequence, figures: dict) -> Iterator[str]:
    yield from head("joint set", "2D input", "model", *_MAIN, "`--cfg`", "options")
    for joint_set in dict.fromkeys(row.joint_set for row in rows):
        for row in rows:
            if row.joint_set == joint_set and row.model != REFINED:
                values = [mm(figures[row.key], name) for name in _MAIN]
                model = _BASELINES.get(row.model, "Pose2Mesh")
                values = values if row.model in _BASELINES else [f"**{value}**" for value in values]
                options = f"`{' '.join(row.options)}`" if row.options else ""
                yield line(_title(joint_set), row.given, model, *values, f"`{row.cfg}`", options)


def _refined_table(rows: Sequence, figures: dict) -> Iterator[str]:
    sets = list(dict.fromkeys(row.joint_set for row in rows))
    by_place = {(row.joint_set, row.given): figures[row.key] for row in rows if row.model == REFINED}
    yield from head("2D input", *map(_title, sets))
    for given in dict.fromkeys(row.given for row in rows if row.model == REFINED):
        cells = [by_place.get((joint_set, given)) for joint_set in sets]
        yield line(given, *("" if own is None else " / ".join(mm(own, name) for name in _MAIN[:3]) for own in cells))


def _exact(rows: Sequence) -> list:
    return [row for row in rows if row.model == NETWORK and row.given == "exact"]


def _regions(rows: Sequence, figures: dict) -> Iterator[str]:
    yield from head("joint set", "region", "vertices, mm", "edges, %", "triangles, %")
    for row in _exact(rows):
        own = figures[row.key]
        regions = [name.removesuffix(f" {_REGIONS[0]}") for name in own if name.endswith(_REGIONS[0])]
        for region in regions:
            if region != "Mesh":
                yield line(_title(row.joint_set), region.lower(), *(mm(own, f"{region} {what}") for what in _REGIONS))


def _lifted(rows: Sequence, figures: dict) -> Iterator[str]:
    yield from head("joint set", "PoseNet's joints", "joints of the mesh")
    for row in _exact(rows):
        if "PoseNet MPJPE" not in figures[row.key]:
            continue
        pairs = [
            " / ".join(mm(figures[row.key], f"{net} {name}") for name in _MAIN[:2]) for net in ("PoseNet", "MeshNet")
        ]
        yield line(_title(row.joint_set), *pairs)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def _speed(speed: dict) -> Iterator[str]:
    if not speed:
        yield "Not collected yet."
        return
    yield f"{speed['machine']}\n"
    yield from head("", "column", "this code", "plain", "ratio")
    for row in speed["rows"]:
        yield line(row["row"], row["column"], _seconds(row["ours"]), _seconds(row["plain"]), f"{row['ratio']:.1f}x")


def _published(published: dict) -> Iterator[str]:
    yield from head("method", "data set", "2D input", "frames", "trained on 3DPW", *_MAIN[:3], "source")
    sources = published["sources"]
    for row in published["rows"]:
        values = [f"{row[name]}" if name in row else "–" for name in _MAIN[:3]]
        cells = (row["data set"], row["input"], row["frames"], row["3DPW"])
        yield line(row["method"], *cells, *values, f"[{list(sources).index(row['source']) + 1}]")
    yield ""
    for number, text in enumerate(sources.values(), 1):
        yield f"{number}. {text}"
