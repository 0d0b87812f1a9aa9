"""Settings from YAML files and the command line.

Usage::

    cfg = load_config("asset/yaml/posenet_cocoJ_train_synthetic.yml")
    cfg = load_config()                       # defaults only
    cfg.TRAIN.lr

A file may name another one whose values it starts from: ``base: posenet_cocoJ_train_open.yml``, in the same folder or
relative to it.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path

from lib import ROOT
from lib.files import parse_yaml, read_yaml
from lib.joints.files import joint_set_setting
from lib.messages import naming, shown, shown_name
from lib.settings.config import Config
from lib.settings.setting import Rules

SHIPPED = ROOT / "asset" / "yaml"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")  # YAML takes 1e-3 for a text


def merge(values: dict, source: str = "configuration") -> Config:
    """A Config with defaults replaced by a nested dict.

    Args:
        values: ``{section: {key: value}}``; may be empty.
        source: named in error messages.

    Raises:
        ValueError: unknown section or key (names the nearest valid one), wrong type, value not among the choices.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{source}: expected sections (DATASET, MODEL, ...) at the top level, got {shown(values)}")
    defaults = Config()
    sections = {field.name: type(getattr(defaults, field.name)) for field in dataclasses.fields(Config)}
    changes: dict[str, dict] = {}
    for section, entries in values.items():
        if section not in sections:
            raise ValueError(
                f"{source}: {shown_name(section)} not exist in config.py{_nearest(section, list(sections))}"
            )
        if entries is None:
            continue
        if not isinstance(entries, dict):
            raise ValueError(f"{source}: {section}: expected keys and values, got {shown(entries)}")
        changes[section] = _section(sections[section], section, entries, source)
    cfg = defaults.changed(**changes)
    shares = cfg.SYNTHETIC.clean_share + cfg.SYNTHETIC.jitter_share
    if shares > 1 + 1e-9:  # 0.7 and 0.3 may add up to a little more
        raise ValueError(
            f"{source}: SYNTHETIC.clean_share and jitter_share: together {shares:g}, more than all samples"
        )
    return cfg


def _section(kind: type, section: str, entries: dict, source: str) -> dict:
    """Checked values of a section."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    types_of = typing.get_type_hints(kind)
    checked = {}
    for key, value in entries.items():
        name = f"{section}.{shown_name(key)}"
        if key not in fields:
            raise ValueError(f"{source}: {name} not exist in config.py{_nearest(key, list(fields))}")
        value = _typed(f"{source}: {name}", value, types_of[key])
        rules = fields[key].metadata.get("rules", Rules())
        rules.check(name, value, source)
        checked[key] = joint_set_setting(value, f"{source}: {name}") if rules.form == "joint set" else value
    return checked


def _typed(name: str, value, kind):
    """``value`` as type ``kind`` or a ValueError that names the key."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices or type(value) is not type(choices[0]):
            raise ValueError(f"{name}: {shown(value)} is not one of {', '.join(map(str, choices))}")
        return value
    if origin is list:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name}: expected a list, got {shown(value)}")
        (item_kind,) = typing.get_args(kind)
        return [_typed(f"{name}[{i}]", item, item_kind) for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{name}: expected names and values, got {shown(value)}")
        key_kind, item_kind = typing.get_args(kind)
        return {
            _typed(name, key, key_kind): _typed(f"{name}[{shown_name(key)}]", item, item_kind)
            for key, item in value.items()
        }
    if kind is float and (isinstance(value, int) or (isinstance(value, str) and _NUMBER.fullmatch(value))):
        with naming(name):
            value = value if isinstance(value, bool) else float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        wanted = {float: "a number"}.get(kind) or getattr(kind, "__name__", str(kind))
        if isinstance(kind, types.UnionType):
            wanted = " or ".join(part.__name__ for part in typing.get_args(kind))
        raise ValueError(f"{name}: expected {wanted}, got {type(value).__name__} {shown(value)}")
    return value


def _nearest(key: object, valid: list[str]) -> str:
    match = difflib.get_close_matches(shown_name(key), valid, n=1, cutoff=0.5)
    return f"; did you mean {match[0]}?" if match else f"; valid keys: {', '.join(valid)}"


def load_config(path: str | Path | None = None, changes: Sequence[str] = (), without: Config | None = None) -> Config:
    """Read a YAML file over the defaults.

    Args:
        path: YAML file, or the name of a shipped one (``pose2mesh_cocoJ_test_open``); None gives ``without``, an
            empty file the defaults.
        changes: ``SECTION.key=value`` texts that replace entries of the file, values in YAML
            (``TRAIN.lr=0.01``, ``DATASET.train_list=[Human36M, COCO]``).
        without: settings that are changed where there is no file; None means the defaults.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, a key that is given twice or unknown, wrong type (see ``merge``), files that name each
            other as ``base``.
    """
    path = None if path is None else _shipped(Path(path))
    values, source = (without or Config()).to_dict(), "configuration"
    if path is not None:
        values, source = _file(path, ()), str(path)
    merge(values, source)  # errors of the file are the file's
    for change in changes:
        name, separator, text = change.partition("=")
        section, _, key = name.strip().partition(".")
        if not separator or not key:
            raise ValueError(f"--set {change}: expected SECTION.key=value, for example TRAIN.lr=0.01")
        changed = {section: {key: parse_yaml(text, f"--set {change}")}}
        merge(changed, f"--set {change}")
        values = _over(values, changed)
    return merge(values, source)


def _shipped(path: Path) -> Path:
    """The shipped file that a bare name means; any other path as it is."""
    file = SHIPPED / f"{path.name.removesuffix('.yml')}.yml"
    return file if not path.is_file() and path.parent == Path() and file.is_file() else path


def _file(path: Path, above: tuple[Path, ...]) -> dict:
    """Values of a file over those of its ``base``; ``above``: the files that led here."""
    if not path.is_file():
        raise FileNotFoundError(_missing(path, above))
    if path.resolve() in above:
        raise ValueError(f"{path} is its own base, by way of {', '.join(file.name for file in above)}")
    values = read_yaml(path) or {}
    if not isinstance(values, dict) or "base" not in values:
        return values
    base = values.pop("base")
    if not isinstance(base, str):
        raise ValueError(f"{path}: base: expected the name of a file, got {shown(base)}")
    below = _file(path.parent / base, (*above, path.resolve()))
    merge(below, f"{path.parent / base}")
    merge(values, str(path))
    return _over(below, values)


def _over(values: dict, changes: dict) -> dict:
    """Nested values with some replaced."""
    merged = {section: {**(values.get(section) or {}), **(entries or {})} for section, entries in changes.items()}
    return {**values, **merged}


def _missing(path: Path, above: tuple[Path, ...]) -> str:
    shipped = [file.name for file in SHIPPED.glob("*.yml")]
    match = difflib.get_close_matches(path.name if path.suffix else f"{path.name}.yml", shipped, n=1, cutoff=0.5)
    hint = f"; did you mean asset/yaml/{match[0]}?" if match else ""
    why = f", which {above[-1]} names as base," if above else ""
    return f"config file {path}{why} not found; the shipped ones are in asset/yaml/{hint}"
