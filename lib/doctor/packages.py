"""Python, packages, GPU, OpenGL, places to write to."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib.doctor.finding import FAIL, OK, WARN, Finding

PYTHON = (3, 10), (3, 13)
# import name: distribution
REQUIRED = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "cv2": "opencv-python-headless",
    "yaml": "PyYAML",
    "tqdm": "tqdm",
    "trimesh": "trimesh",
    "matplotlib": "matplotlib",
    "filelock": "filelock",
}
_INSTALL = "sh requirements.sh"
_EXTRAS = "app", "detector", "onnx", "rtmpose", "tensorboard"
_APP, _DETECTOR, _ONNX, _RTMPOSE, _TENSORBOARD = (f"{_INSTALL} --with-{extra}" for extra in _EXTRAS)
# import name: distribution, how to get it, for what it is needed
OPTIONAL = {
    "pyrender": ("pyrender", _INSTALL, "pictures with OpenGL, faster in videos; without it NumPy draws them"),
    "av": ("av", _INSTALL, "films, mp4 and gif"),
    "onnx": ("onnx", _ONNX, "main/export.py"),
    "onnxruntime": ("onnxruntime", _ONNX, "the check of main/export.py, and --detect with RTMPose"),
    "tensorboard": ("tensorboard", _TENSORBOARD, "training curves, TRAIN.tensorboard"),
    "mediapipe": ("mediapipe", _DETECTOR, "poses of one person in photos and videos, --detect"),
    "rtmlib": ("rtmlib", _RTMPOSE, "poses of several people in photos and videos, --detect"),
    "gradio": ("gradio", _APP, "demo/app.py"),
    "fastapi": ("fastapi", _APP, "demo/app.py"),
    "uvicorn": ("uvicorn", _APP, "demo/app.py"),
    "pytest": ("pytest", _INSTALL, "tests"),
    "nbclient": ("nbclient", _INSTALL, "the test of demo/tour.ipynb"),
    "nbformat": ("nbformat", _INSTALL, "the same, and stripping its outputs"),
}
REQUIREMENTS = tuple(f"requirements{extra}.txt" for extra in ("", *(f"-{extra}" for extra in _EXTRAS)))
_TIMEOUT = 120  # seconds that one import may take
_GL_CODE = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[2])
from lib.render.mesh_renderer import MeshRenderer
triangle = np.array([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.0, 0.5, 0.0]])
camera = np.array([1.0, 1.0, 0.0, 0.0])
picture = MeshRenderer(sys.argv[1]).render(triangle, np.array([[0, 1, 2]]), np.zeros((64, 64, 3), np.uint8), camera)
assert picture[28:36, 28:36].mean() > 20, "the picture is empty"
"""


def python() -> Iterator[Finding]:
    """The interpreter."""
    version = sys.version_info[:2]
    text = f"{platform.python_version()} on {platform.platform()}, {sys.executable}"
    if PYTHON[0] <= version <= PYTHON[1]:
        yield Finding(OK, "Python", text)
    else:
        known = " to ".join(".".join(map(str, v)) for v in PYTHON)
        yield Finding(WARN, "Python", text, f"tested with {known}")


def packages(root: Path) -> Iterator[Finding]:
    """Whether packages can be imported, each in a process of its own: a broken one may take its process along."""
    pinned = {name: version for file in REQUIREMENTS for name, version in _pinned(root / file).items()}
    checks = [(name, distribution, FAIL, _INSTALL) for name, distribution in REQUIRED.items()]
    for name, (distribution, install, use) in OPTIONAL.items():
        checks.append((name, distribution, WARN, f"{install} (only for {use})"))
    with ThreadPoolExecutor(max_workers=4) as pool:  # they only wait for their processes
        yield from pool.map(
            lambda check: _package(check[0], check[1], pinned.get(check[1].lower(), ""), *check[2:]), checks
        )


def _pinned(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = (line.partition("#")[0].split("==") for line in lines if "==" in line.partition("#")[0])
    return {name.strip().lower(): version.strip() for name, version in pairs}


def _package(name: str, distribution: str, pinned: str, missing: str, advice: str) -> Finding:
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        version = ""
    code, output = run_python(f"import {name}; print(getattr({name}, '__version__', ''))")
    if code:
        what = f"version {version} does not import" if version else "not installed"
        return Finding(missing, name, f"{what} ({last_line(output, code)})", advice)
    version = version or output.strip() or "of unknown version"
    if pinned and version.split("+")[0] != pinned:
        return Finding(OK, name, f"{version} (tested with {pinned})")
    return Finding(OK, name, version)


def run_python(code: str, *args: str) -> tuple[int, str]:
    """Exit code and output of a piece of Python in a process of its own; a crash is a negative exit code."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=_TIMEOUT, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {_TIMEOUT} s"
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr


def last_line(output: str, code: int) -> str:
    """What a failed process said last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if code < 0:
        return f"the process was ended by signal {-code}"
    return lines[-1] if lines else f"exit code {code}"


def gpu() -> Iterator[Finding]:
    """GPUs that torch can use."""
    code, output = run_python(
        "import torch\n"
        "for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):\n"
        "    free, total = torch.cuda.mem_get_info(i)\n"
        "    print(f'{torch.cuda.get_device_name(i)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free')"
    )
    names = output.strip().splitlines()
    if code:
        yield Finding(WARN, "GPU", f"torch fails ({last_line(output, code)})", "everything runs on a CPU: --gpu ''")
    elif names:
        yield Finding(OK, "GPU", "; ".join(names))
    else:
        yield Finding(WARN, "GPU", "none that torch can use", "everything runs on a CPU, training takes longer")


def opengl(root: Path) -> Iterator[Finding]:
    """Which backends draw a triangle, each in a process of its own."""
    problems: list[str] = []
    for backend in ("egl", "osmesa"):
        code, output = run_python(_GL_CODE, backend, str(root))
        if code == 0:
            yield Finding(OK, "OpenGL", f"{backend} draws" + (f"; {'; '.join(problems)}" if problems else ""))
            return
        problems.append(f"{backend}: {last_line(output, code)}")
    code, output = run_python(_GL_CODE, "software", str(root))
    advice = "NumPy draws the pictures; for OpenGL, faster in videos, install libegl1 libgl1-mesa-dri (or libosmesa6)"
    if code:
        problems.append(f"software: {last_line(output, code)}")
        yield Finding(FAIL, "OpenGL", "; ".join(problems), _INSTALL)
    else:
        yield Finding(WARN, "OpenGL", "; ".join(problems), advice)


def places(root: Path) -> Iterator[Finding]:
    """Folders that programs write to."""
    for name in ("experiment", "demo/result"):
        folder = root / name
        existing = next(place for place in (folder, *folder.parents) if place.is_dir())
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            advice = "make it writable, or give --experiment or --output another folder"
            yield Finding(FAIL, f"{name}/", f"cannot be written to ({error})", advice)
            continue
        state = "can be written to" if folder.is_dir() else "will be made when it is needed"
        yield Finding(OK, f"{name}/", f"{state} ({_free(existing)})")


def _free(folder: Path) -> str:
    if not hasattr(os, "statvfs"):
        return str(folder)
    disk = os.statvfs(folder)
    return f"{disk.f_bavail * disk.f_frsize / 2**30:.1f} GiB free"
