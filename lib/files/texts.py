"""Texts and YAML, read in time and memory that their sizes bound; no key is given twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lib.messages import naming, one_line, shown

_MOST_YAML = 4 << 20  # bytes; a minute of reading
_MOST_LEVELS = 200  # of lists and mappings in each other
_MOST_SHARED = 100_000  # values by which shared parts may make content larger than it is written


class _UniqueKeys(yaml.SafeLoader):
    """YAML reader that refuses a key that is given twice: one of the two would silently vanish."""

    def fetch_flow_collection_start(self, token_class):
        self._check_depth(self.flow_level)
        super().fetch_flow_collection_start(token_class)

    def add_indent(self, column):
        self._check_depth(len(self.indents))
        return super().add_indent(column)

    @staticmethod
    def _check_depth(levels: int) -> None:
        if levels >= _MOST_LEVELS:  # each token is compared with all levels
            raise yaml.YAMLError("nested too deeply")

    def get_single_node(self):
        node = super().get_single_node()
        check_spread(node, _node_parts)  # before anything is made of it: merged keys multiply too
        return node

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.YAMLError(
                    f"{shown(key)} is given twice, the second time in line {key_node.start_mark.line + 1}"
                )
            seen.add(str(key))
        return super().construct_mapping(node, deep)


def _node_parts(node) -> list:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _parts(value) -> list:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else []


def check_spread(content, parts: Callable[[Any], list] = _parts) -> None:
    """Refuse content of which a few shared parts stand for very many, before anything looks through all of them.

    Args:
        content: nested lists and dicts.
        parts: what a value consists of; empty for plain ones.

    Raises:
        ValueError: shared parts multiply, or one lies inside itself.
    """
    sizes: dict[int, int] = {}
    opened: set[int] = set()
    written = 1
    waiting = [(content, parts(content))]
    while waiting:
        value, inner = waiting[-1]
        if id(value) in sizes:
            waiting.pop()
        elif id(value) in opened:
            sizes[id(value)] = 1 + sum(sizes[id(part)] for part in inner)
        else:
            opened.add(id(value))
            written += len(inner)
            new = [part for part in inner if id(part) not in sizes]
            if any(id(part) in opened for part in new):
                raise ValueError("a part of it lies inside itself")
            waiting += [(part, parts(part)) for part in new]
    if sizes[id(content)] > written + _MOST_SHARED:
        raise ValueError("shared parts in it multiply to more values than anybody wrote")


def read_text(path: str | Path, most: int) -> str:
    """A text file, UTF-8.

    Raises:
        ValueError: more than ``most`` bytes, not UTF-8, cannot be read; names the file.
    """
    with naming(path), open(path, "rb") as stream:
        if Path(path).stat().st_size > most:
            raise ValueError(f"larger than {most / 1e6:.0f} MB")
        return stream.read().decode("utf-8-sig")


def read_yaml(path: str | Path):
    """The content of a YAML file; see ``parse_yaml``."""
    return parse_yaml(read_text(path, _MOST_YAML), path)


def parse_yaml(text: str, where: object):
    """The content of a YAML text.

    Raises:
        ValueError: not YAML, a key that is given twice, or content that is no plain one; starts with ``where``.
    """
    try:
        return yaml.load(text, _UniqueKeys)
    except Exception as error:  # beside its own errors whatever Python's constructors raise for texts like 2020-99-99
        reason = "nested too deeply" if isinstance(error, RecursionError) else one_line(error, 300)
        raise ValueError(f"{where} is not valid YAML: {reason}") from error
