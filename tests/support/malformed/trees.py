"""Damage of nested content (JSON, YAML, pickles, checkpoints): wrong values at random places, and texts no tree has."""

import copy
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

_RAW = "@@raw{}@@"
# what a dump cannot write, put into the text afterwards
RAW_JSON = (
    "1e400", "-1e400", "1" * 4000, "9" * 5000, "[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 3000 + "1" + "}" * 3000,
    '{"a": 1, "a": 2}', '"\\ud800"', '"\\u0000\\u001b[31m"', '"open', "truee", "0x10", "NaN", "-Infinity", "1_0", "+1",
    "[1,]", "[,]", "//x", "1e-400", "-0", '"' + "x" * 3_000_000 + '"', "[" + "[]," * 200_000 + "[]]",
    "[" + "1e9," * 300_000 + "1]", "[" + "{}," * 100_000 + "{}]",
)  # fmt: skip
RAW_YAML = (
    "!!python/object/apply:os.system [touch exploited]", "!!python/name:os.system", "!!binary '///'", "!unknown x",
    "&a [*a]", "*nobody", "{<<: 5}", "{<<: [{a: 1}, 2]}", "!!set {a, b}", "!!omap [a: 1]", "2020-99-99", "2020-01-01",
    "1:59:59:59", "0o99", ".inf", "-.inf", ".nan", "{? [a, b] : c}", "{a: 1, a: 2}", "\"\\e[31m\\a\"", "'it''s", "[",
    "}",
    "1" * 5000, "[" * 3000, "{a: " * 2000, "|\n  text", "@x", "%x", "\tx", "~", "'" + "x" * 1_000_000 + "'", "1e400",
    "&x [1, 2], *x", "!!float x", "!!int ''", "!!null x", "!!timestamp x", "!!bool 7", "!!str [a]", "!!map [a]",
    "!!seq {}",
    "&l [" + ", ".join(["1"] * 10) + "]",
)  # fmt: skip
_VALUES: tuple = (
    None, True, False, "", "abc", "0", "\ud800", "\x1b[31mred\x07", "two\nlines", "x" * 100_000, "../../etc/passwd",
    0, 1,
    -1, 7, 0.5, -(10**9), 10**9, 2**31, 2**53, 2**63, -(2**63) - 1, 10**30, 10**400, math.nan, math.inf, -math.inf,
    1e308,
    1e38, -1e38, 1e-320, 1e6, [], {}, [[]], [[], [1]], [None], ["a"], [1, [2, [3]]], {"a": None}, {"": {}},
    [0] * 100_000,
    [[1, 2], [3]], [math.nan] * 3, [1e400] * 3, [10**400], [True] * 3, [{}] * 3, "/dev/zero", "/proc/self/mem", "1e400",
)  # fmt: skip


def walk(draw: random.Random, content) -> tuple[Any, Any] | None:
    """A random container in content and one of its keys; None where there is nothing in it."""
    place = None
    while isinstance(content, (dict, list)) and content:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        key = draw.choice(keys)
        place = content, key
        if draw.random() < 0.2:
            break
        content = content[key]
    return place


def damage_tree(draw: random.Random, content, raw: tuple[str, ...] = ()) -> tuple[Any, dict[str, str], str]:
    """Content with one to three wrong places.

    Args:
        content: nested lists and dicts; changed in place.
        raw: texts that may be put into the written file.

    Returns:
        the content, texts that take the place of others once it is written, and what was done.
    """
    texts: dict[str, str] = {}
    done = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        place = walk(draw, content)
        if place is None or draw.random() < 0.02:
            content = copy.deepcopy(draw.choice(_VALUES))  # later damage must not change the table
            done.append(f"all becomes {content!r:.30}")
            continue
        holder, key = place
        done.append(f"{key!r:.30}: {_damage_place(draw, holder, key, content, texts, raw)}")
    return content, texts, "; ".join(done)


def _damage_place(draw: random.Random, holder, key, content, texts: dict[str, str], raw: tuple[str, ...]) -> str:
    kind = draw.choice(
        ("value", "value", "value", "value", "raw", "gone", "many", "swap", "wrap", "key", "near", "near")
    )
    value = holder[key]
    if kind == "raw" and raw:
        mark = _RAW.format(len(texts))
        texts[mark] = draw.choice(raw)
        holder[key] = mark
        return f"{texts[mark]!r:.40}"
    if kind == "gone":
        del holder[key]
    elif kind == "many" and isinstance(holder, list):
        holder[key : key + 1] = [value] * draw.choice((2, 3, 1000))
    elif kind == "swap" and (other := walk(draw, content)):
        holder[key] = json.loads(json.dumps(other[0][other[1]])) if raw is RAW_JSON else other[0][other[1]]
    elif kind == "wrap":
        holder[key] = draw.choice(([value], {"a": value}, str(value)[:100]))
    elif kind == "key" and isinstance(holder, dict):
        holder[
            draw.choice(("", "\x1b[31m", "x" * 10_000, "-1", "1" * 400, "\ud800", 5 if raw is not RAW_JSON else "5"))
        ] = holder.pop(key)
    elif kind == "near" and isinstance(value, (int, float)) and abs(value) < 1e200 and not isinstance(value, bool):
        holder[key] = draw.choice((-value, value * 1e6, value + 0.5, value + 1, value * 1e30, str(value), value * 0))
    elif kind == "near" and isinstance(value, list):
        holder[key] = draw.choice((value[:-1], value + value[-1:], value[::-1], value * 2, value[:1]))
    elif kind == "near" and isinstance(value, torch.Tensor | np.ndarray):
        holder[key] = damaged_tensor(draw, value) if isinstance(value, torch.Tensor) else value[..., :-1]
    else:
        holder[key] = copy.deepcopy(draw.choice(_VALUES))
        return f"{holder[key]!r:.40}"
    return kind


def damaged_tensor(draw: random.Random, tensor: torch.Tensor):
    """One that does not fit."""
    changes = (
        lambda: tensor.double() * float("nan"), lambda: tensor.double() * float("inf"), lambda: tensor.to(torch.int8),
        lambda: tensor.to(torch.complex64), lambda: tensor.bool(), lambda: tensor.half(), lambda: tensor[:0],
        lambda: tensor[:-1], lambda: tensor.reshape(-1), lambda: tensor[None],
        lambda: tensor.mT if tensor.ndim > 1 else 0,
        lambda: tensor.double() * 1e30, lambda: -tensor.double(), lambda: torch.zeros(1).expand(10**11, 3),
        lambda: torch.zeros(()), lambda: tensor.to_sparse(), lambda: tensor.tolist(), lambda: None,
        lambda: tensor.to("meta"), lambda: tensor.double() + 1e15, lambda: torch.nn.Parameter(tensor.float()),
    )  # fmt: skip
    return draw.choice(changes)()


def damage_json(draw: random.Random, path: Path) -> str:
    """Wrong values in a JSON file."""
    content, texts, done = damage_tree(draw, json.loads(path.read_text(encoding="utf-8-sig")), RAW_JSON)
    text = json.dumps(content, ensure_ascii=draw.random() < 0.8)
    for mark, raw in texts.items():
        text = text.replace(json.dumps(mark), raw)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return done


def damage_yaml(draw: random.Random, path: Path) -> str:
    """Wrong values in a YAML file, and YAML's own traps."""
    kind = draw.choice(("tree", "tree", "tree", "laugh", "merge", "documents", "twice", "deep", "head", "set"))
    text = path.read_text(encoding="utf-8")
    if kind == "tree":
        content, texts, kind = damage_tree(draw, yaml.safe_load(text), RAW_YAML)
        try:
            text = yaml.safe_dump(content, sort_keys=False)
        except yaml.YAMLError:
            text = repr(content)
        for mark, raw in texts.items():
            text = text.replace(f"'{mark}'", raw).replace(mark, raw)
    elif kind in ("laugh", "merge"):
        form = "x{0}: &x{0} {{{1}}}\n" if kind == "merge" else "x{0}: &x{0} [{1}]\n"
        item = "<<: [{}]" if kind == "merge" else "{}"
        lines = [form.format(0, "a: 1, b: 2" if kind == "merge" else "1, 2")]
        lines += [form.format(n, item.format(", ".join([f"*x{n - 1}"] * 10))) for n in range(1, draw.randint(2, 12))]
        text = "".join(lines) + text
    else:
        text = {
            "documents": f"{text}\n---\n{text}",
            "twice": text + text,
            "deep": "a: " + "[" * draw.choice((50, 400, 20_000)) + "\n" + text,
            "head": draw.choice(("%YAML 9.9\n---\n", "%TAG ! tag:x,2000:\n---\n", "\t", "\x00", "- a\n", "? ")) + text,
            "set": "".join(f"{key}\n" for key in text.split()[:20]),
        }[kind]
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return kind


def damage_checkpoint(draw: random.Random, path: Path) -> str:
    """Wrong values in a checkpoint, written as a zip or in the legacy form."""
    content = torch.load(path, weights_only=False)  # ours; that of the original holds NumPy's numbers
    kind = draw.choice(("", "", "", "config", "graph", "model_state_dict"))
    part = content.get(kind, content) if kind else content
    changed, _, done = damage_tree(draw, part)
    if part is content:
        content = changed
    else:
        content[kind] = changed
    zipped = draw.random() < 0.7
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return f"{kind} {done}{'' if zipped else ' (legacy)'}"
