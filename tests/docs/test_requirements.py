"""requirements.sh: which environment it takes, what it leaves alone; the pins: what the code imports."""

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.doctor import packages
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
    """A virtual environment (in a folder with a space) whose stamp says that everything is installed.

    Its pip can be imported and nothing else, as installing one takes seconds: a call of it fails.
    """
    folder = tmp_path / "my env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=300)
    (site_packages,) = folder.rglob("site-packages")
    (site_packages / "pip").mkdir()
    (site_packages / "pip" / "__init__.py").touch()
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
    for extra in ("app", "detector", "onnx", "rtmpose", "tensorboard"):
        shutil.copy(ROOT / f"requirements-{extra}.txt", ready_environment / f".pose2mesh-installed-{extra}")
    options = ["--with-app", "--with-onnx", "--with-rtmpose", "--with-tensorboard"]
    options += ["--with-detector"] * (sys.version_info < (3, 13))
    done = call(*options, "python", script, "--with-x", PWD=str(tmp_path), VIRTUAL_ENV=str(ready_environment))
    assert (done.stdout.strip(), done.returncode) == (f"{ready_environment}|{tmp_path}|--with-x", 3)
    assert "Installing" not in done.stderr


def test_unknown_options_are_refused():
    done = call("--with-detectors", "true")
    assert done.returncode == 2
    known = "--with-app, --with-detector, --with-onnx, --with-rtmpose or --with-tensorboard"
    assert f"unknown option --with-detectors; expected {known}" in done.stderr


def test_a_folder_of_the_user_is_left_alone(tmp_path):
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "file").write_text("data")
    done = call("true", POSE2MESH_VENV=str(folder))
    assert done.returncode == 2
    assert "no virtual environment" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["file"]


def imported() -> set[str]:
    """Packages that the code imports, or asks for by name, without the standard library and its own."""
    files = [path for folder in ("lib", "main", "demo", "tests") for path in (ROOT / folder).rglob("*.py")]
    names = set()
    for path in [*files, *ROOT.glob("data/*.py"), *ROOT.glob("data/*/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("optional", "importlib.import_module"):
                names |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    own = {path.name for path in ROOT.iterdir() if path.is_dir()}
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - own


def pins(file: str) -> dict[str, tuple[str, str]]:
    """Pinned distributions of a file in lower case, each with its version and the comment of its line."""
    pairs = [line.partition("#")[::2] for line in (ROOT / file).read_text().splitlines()]
    named = [(*pin.strip().split("=="), comment.strip()) for pin, comment in pairs if "==" in pin]
    return {name.lower(): (version, comment) for name, version, comment in named}


def test_every_import_is_pinned_and_every_pin_is_imported():
    """A pin without an import is a program that the checks call, or says for which other pin it is there."""
    distributions = packages.REQUIRED | {name: distribution for name, (distribution, *_) in packages.OPTIONAL.items()}
    assert imported() == set(distributions)
    used = {name.lower() for name in distributions.values()}
    files = [pins(file) for file in packages.REQUIREMENTS]
    pinned = {name: pin for file in files for name, pin in file.items()}
    assert all(pin[0] == pinned[name][0] for file in files for name, pin in file.items())  # they live side by side
    assert used <= set(pinned)
    places = (ROOT / ".ci" / "run", ROOT / ".pre-commit-config.yaml")
    checks = "".join(path.read_text() for path in places if path.is_file())
    for name in set(pinned) - used:
        owner = pinned[name][1].removeprefix("for ")
        installed = [] if owner else importlib.metadata.files(name)
        programs = {Path(file).stem for file in installed if Path(file).parent.name in ("bin", "Scripts")}
        assert owner in used or any(f" {program}" in checks for program in programs), name


def test_the_checks_run_in_the_prepared_environment():
    assert Path(ROOT / ".ci" / "run").read_text().count("requirements.sh python -m pytest tests") == 1
