"""requirements.sh: which environment it takes, what it leaves alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


def call(*command, **environment):
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    return subprocess.run(
        ["sh", str(ROOT / "requirements.sh"), *map(str, command)],
        env=keep | environment,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=environment.get("PWD", ROOT),
    )


@pytest.fixture
def ready_environment(tmp_path):
    """A virtual environment (in a folder with a space) whose stamp says that everything is installed."""
    folder = tmp_path / "my env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    shutil.copy(ROOT / "requirements.txt", folder / ".pose2mesh-installed")
    return folder


def test_a_ready_environment_is_used_at_once(ready_environment, tmp_path):
    script = tmp_path / "where.py"
    script.write_text("import os, sys; print(sys.prefix, os.getcwd(), *sys.argv[1:], sep='|'); sys.exit(3)")
    for environment in ({"VIRTUAL_ENV": str(ready_environment)}, {"POSE2MESH_VENV": str(ready_environment)}):
        done = call("python", script, "a b", "c", PWD=str(tmp_path), **environment)
        assert done.stdout.strip() == f"{ready_environment}|{tmp_path}|a b|c"
        assert done.returncode == 3
        assert "Installing" not in done.stderr
    for extra in ("detector", "onnx"):
        shutil.copy(ROOT / f"requirements-{extra}.txt", ready_environment / f".pose2mesh-installed-{extra}")
    options = ["--with-onnx"] if sys.version_info >= (3, 13) else ["--with-onnx", "--with-detector"]
    done = call(*options, "python", script, "--with-x", PWD=str(tmp_path), VIRTUAL_ENV=str(ready_environment))
    assert (done.stdout.strip(), done.returncode) == (f"{ready_environment}|{tmp_path}|--with-x", 3)
    assert "Installing" not in done.stderr


def test_unknown_options_are_refused():
    done = call("--with-detectors", "true")
    assert done.returncode == 2
    assert "unknown option --with-detectors; expected --with-detector or --with-onnx" in done.stderr


def test_a_folder_of_the_user_is_left_alone(tmp_path):
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "file").write_text("data")
    done = call("true", POSE2MESH_VENV=str(folder))
    assert done.returncode == 2
    assert "no virtual environment" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_pins_cover_what_the_code_imports():
    pinned = {
        line.split("==")[0].lower() for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    }
    expected = {"torch", "numpy", "scipy", "opencv-python-headless", "pycocotools", "pyyaml", "trimesh", "pyrender"}
    assert expected | {"matplotlib", "tqdm", "pytest", "ruff"} == pinned
    assert Path(ROOT / ".ci" / "run").read_text().count("requirements.sh python -m pytest tests") == 1
