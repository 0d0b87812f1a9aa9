"""A trained network as one web page that works from disk, without a server or network: ``docs/web``.

The page holds the ONNX file and onnxruntime-web, gzipped, and all that the scripts need to know of the joint set.
"""

import base64
import gzip
import hashlib
import html
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lib import ROOT
from lib.export.page import VIEWER
from lib.files import atomic_write
from lib.joints.joint_set import JointSet
from lib.messages import one_line
from lib.onnx.onnx_export import Trained, export_onnx
from lib.poses import get_source
from lib.poses.filters import DUPLICATE_DISTANCE, PERSON_SCORE, USUAL_SIZES
from lib.poses.mapping import VIRTUAL, Recipe, recipes
from lib.poses.missing import JOINT_SCORE, NEIGHBOURS, RIDGE, SMALLEST, STRAY, TRUNK_NEEDED, trunk_joints
from lib.poses.samples import sample_poses, sampled_joints
from lib.poses.sources import SOURCES, Source, sources_with
from lib.render.mesh_renderer import person_colour

WEB = ROOT / "docs" / "web"
PACKAGE = "onnxruntime-web"
MOST_PEOPLE = 100
_SCRIPTS = ("unpack", "network", "read_poses", "fill", "people", "camera", "drawing", "files", "app")
_RUNTIME_FILES = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
_COLOURS = 24
_LEADING = {133: "wholebody23", 136: "halpe26"}  # larger sets, of which the first joints are taken
# data: and blob: are the page's own; nothing may be loaded, sent or opened
_POLICY = (
    "default-src 'none'; script-src {script} 'wasm-unsafe-eval' blob:; style-src {style}; img-src data: blob:; "
    "connect-src 'none'; form-action 'none'; base-uri 'none'"
)


def find_runtime(folders: Sequence[str | Path] | None = None) -> Path:
    """The folder of onnxruntime-web as npm installs it, in the version that ``docs/web/package.json`` names.

    Args:
        folders: ``node_modules`` to look in; None: that of ``docs/web``, then those of ``NODE_PATH``.

    Raises:
        ValueError: not there, or another version; says how to install it.
    """
    if folders is None:
        folders = [WEB / "node_modules", *filter(None, os.environ.get("NODE_PATH", "").split(os.pathsep))]
    wanted = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["dependencies"][PACKAGE]
    found = []
    for folder in map(Path, folders):
        description = folder / PACKAGE / "package.json"
        if description.is_file():
            version = json.loads(description.read_text(encoding="utf-8"))["version"]
            if version == wanted:
                return folder / PACKAGE
            found.append(f"{version} is in {one_line(folder)}")
    state = "; ".join(found) or "it is not installed"
    raise ValueError(f"the page needs {PACKAGE} {wanted}, but {state}: npm ci --prefix docs/web")


def write_web_page(trained: Trained, path: str | Path, runtime: Path) -> Path:
    """Write the page of a network that makes meshes.

    Args:
        trained: see ``lib.onnx.onnx_export.load_trained``.
        path: ``.html`` file; missing folders are created.
        runtime: see ``find_runtime``.

    Raises:
        ValueError: the package onnx is not installed, or the weights are of a lifter alone.
    """
    if trained.mesh_model is None:
        raise ValueError(f"{trained.source} holds no mesh network, and the page shows meshes")
    with tempfile.TemporaryDirectory() as folder:
        network = export_onnx(trained, Path(folder) / "network.onnx").read_bytes()
    binaries = {name: (runtime / "dist" / file).read_bytes() for name, file in _RUNTIME_FILES.items()}
    binaries["network"] = network
    binaries["faces"] = np.asarray(trained.mesh_model.faces, "<u4").tobytes()
    binaries["pose_samples"] = _samples(trained.joint_set).tobytes()
    # "</script>" in a text would end the script
    description = json.dumps(_description(trained), separators=(",", ":")).replace("<", "\\u003c")
    data = [f'<script type="application/json" id="model">{description}</script>']
    for name, content in binaries.items():
        packed = base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")
        data.append(f'<script type="application/octet-stream" id="{name}">{packed}</script>')
    scripts = [VIEWER, *(WEB / f"{name}.js" for name in _SCRIPTS)]
    script = "".join(file.read_text(encoding="utf-8") for file in scripts)
    style = (WEB / "style.css").read_text(encoding="utf-8")
    policy = _POLICY.format(script=_digest(script), style=_digest(style))
    parts = {"policy": html.escape(policy, quote=True), "style": style, "script": script, "data": "\n".join(data)}
    template = (WEB / "template.html").read_text(encoding="utf-8")
    page = re.sub(r"\{\{(policy|style|script|data)\}\}", lambda mark: parts[mark.group(1)], template)
    with atomic_write(path) as stream:
        stream.write(page)
    return Path(path)


def _digest(text: str) -> str:
    """A text as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _description(trained: Trained) -> dict[str, Any]:
    """What the scripts know of the network; the rules for poses are those of ``lib.poses``."""
    joint_set = trained.joint_set
    assert trained.mesh_model is not None
    readable = pose_sources(joint_set)
    return {
        "joint_set": joint_set.name,
        "body": joint_set.body,
        "mesh_model": trained.mesh_model.name,
        "joints": joint_set.joints,
        "keypoint_num": joint_set.keypoint_num,
        "bones": joint_set.bones,
        "derived": [pair for _, pair in joint_set.derived],
        "sources": readable,
        "joint_score": JOINT_SCORE,
        "person_score": PERSON_SCORE,
        "duplicate_distance": DUPLICATE_DISTANCE,
        "usual_sizes": USUAL_SIZES,
        "stray": STRAY,
        "smallest": SMALLEST,
        "trunk": trunk_joints(joint_set),
        "trunk_needed": TRUNK_NEEDED,
        "sampled": sampled_joints(joint_set).tolist(),
        "neighbours": NEIGHBOURS,
        "ridge": RIDGE,
        "most_people": MOST_PEOPLE,
        "colours": [person_colour(number) for number in range(_COLOURS)],
        "samples": _shipped_poses(joint_set, readable),
    }


def _samples(joint_set: JointSet) -> np.ndarray:
    """(S, K, 2) float32 sample poses; joints that they do not tell are 0."""
    return np.nan_to_num(sample_poses(joint_set)[:, : joint_set.keypoint_num]).astype("<f4")


def pose_sources(joint_set: JointSet) -> dict[int, dict[str, Any]]:
    """Whose joints the page reads, by their number.

    Returns:
        ``name`` of the source and ``ways``: for each keypoint of the set the ways to get it, best first, each a list of
        (joint, weight); None where the joints are the set's own.
    """
    readable: dict[int, dict[str, Any]] = {
        count: {"name": joint_set.name, "ways": None} for count in (joint_set.keypoint_num, joint_set.joint_num)
    }
    for count in sorted({source.joint_num for source in SOURCES.values()}):
        names = sources_with(count, joint_set)
        if names and count not in readable:
            readable[count] = _readable(get_source(names[0]), joint_set)
    for count, name in _LEADING.items():
        if SOURCES[name].body == joint_set.body:
            readable[count] = _readable(SOURCES[name], joint_set)
    return readable


def _readable(source: Source, joint_set: JointSet) -> dict[str, Any]:
    place = {role: index for index, role in enumerate(source.role_names)}
    ways = [[_parts(way, place) for way in of_joint] for of_joint in recipes(joint_set, source).values()]
    possible = [[way for way in of_joint if way] for of_joint in ways]
    return {"name": source.name, "ways": possible[: joint_set.keypoint_num]}


def _parts(way: Recipe, place: dict[str, int]) -> list[tuple[int, float]]:
    """A way as (joint, weight), roles that the source lacks made of others; empty where that is not possible."""
    parts: dict[int, float] = {}
    for role, weight in way.items():
        known: Recipe = {role: 1.0} if role in place else VIRTUAL.get(role, ({role: 1.0},))[0]
        if not set(known) <= set(place):
            return []
        for part, share in known.items():
            parts[place[part]] = parts.get(place[part], 0.0) + weight * share
    return list(parts.items())


def _shipped_poses(joint_set: JointSet, readable: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """The demo's inputs that this network takes: a button's name, JSON, a picture as data or None."""
    demo, shipped = ROOT / "demo", []
    single = demo / f"sample_pose_{joint_set.name}.npy"
    if single.is_file():
        pose = np.load(single).tolist()
        shipped.append({"name": "Sample pose", "text": _lines([[round(x, 2) for x in row] for row in pose])})
    if readable.get(17, {}).get("name") in ("coco", "coco17"):
        scene = json.loads((demo / "demo_input_2dpose.json").read_text(encoding="utf-8"))
        (name, people) = next(iter(scene.items()))
        picture = base64.b64encode((demo / "demo_input_img" / name).read_bytes()).decode("ascii")
        text = json.dumps({name: people})
        shipped.append({"name": "Several people", "text": text, "picture": f"data:image/jpeg;base64,{picture}"})
    return shipped


def _lines(rows: list) -> str:
    return "[" + ",\n ".join(json.dumps(row) for row in rows) + "]"
