"""The doctor finds what is there, what is missing and what is broken, and survives the latter."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from lib import ROOT
from lib.datasets.registry import DATASETS
from lib.doctor import files, packages
from lib.doctor.finding import FAIL, OK, WARN, Finding, examine
from lib.mesh.mesh_model import load_mesh_model
from main import doctor


def by_subject(findings) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def test_a_line_says_level_subject_text_and_advice():
    assert Finding(WARN, "GPU", "none\nfound", "use a CPU").line() == "WARN  GPU: none found -> use a CPU"
    assert Finding(OK, "GPU", "one").line() == "OK    GPU: one"


def test_a_check_that_breaks_down_is_a_finding():
    def open_models():
        yield Finding(OK, "a", "b")
        raise ImportError("libGL.so.1 is missing")

    (finding,) = examine(open_models)
    assert finding.level == FAIL
    assert "libGL.so.1 is missing" in finding.text


def test_missing_broken_and_crashing_packages(tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("raise RuntimeError('compiled for numpy 1')")
    (tmp_path / "crashing.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    absent = packages._package("no_such_package", "no-such-package", "", FAIL, "install it")
    broken = packages._package("broken", "numpy", "", FAIL, "install it")
    crashing = packages._package("crashing", "crashing", "", WARN, "install it")
    fine = packages._package("numpy", "numpy", "0.1", FAIL, "install it")
    assert (absent.level, broken.level, crashing.level, fine.level) == (FAIL, FAIL, WARN, OK)
    assert "not installed (ModuleNotFoundError" in absent.text
    assert broken.text == f"version {np.__version__} does not import (RuntimeError: compiled for numpy 1)"
    assert "ended by signal 6" in crashing.text
    assert fine.text == f"{np.__version__} (tested with 0.1)"


def test_pinned_versions_are_those_of_the_requirements():
    pinned = packages._pinned(ROOT / "requirements.txt")
    assert set(map(str.lower, packages.REQUIRED.values())) <= set(pinned)
    assert "#" not in "".join(pinned)
    assert packages._pinned(ROOT / "requirements-detector.txt")["protobuf"] == "4.25.9"  # a comment follows


def test_a_backend_that_crashes_leaves_the_others(monkeypatch):
    monkeypatch.setattr(packages, "_GL_CODE", "import os, sys\nif sys.argv[1] != 'software': os.abort()")
    (finding,) = packages.opengl(ROOT)
    assert finding.level == WARN
    assert "egl: the process was ended by signal 6; osmesa: the process was ended by signal 6" in finding.text
    monkeypatch.setattr(packages, "_GL_CODE", "raise ImportError('no pictures')")
    (finding,) = packages.opengl(ROOT)
    assert finding.level == FAIL


def test_the_fallback_backend_draws_here():
    assert packages.run_python(packages._GL_CODE, "software", str(ROOT)) == (0, "")


def test_places_to_write_to(tmp_path, monkeypatch):
    found = list(packages.places(tmp_path))
    assert [finding.level for finding in found] == [OK, OK]
    assert "will be made" in found[0].text

    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(packages.tempfile, "TemporaryFile", refuse)
    assert [finding.level for finding in packages.places(tmp_path)] == [FAIL, FAIL]


def test_licensed_files_and_data_sets_of_a_root(tiny_root):
    found = by_subject(files.models(tiny_root))
    assert found["open_6890"].level == OK
    assert found["SMPL neutral"].level == OK
    assert "6890 vertices" in found["SMPL neutral"].text
    assert found["smpl graph"].level == OK
    assert (
        found["smpl graph"].text
        == "level sizes 12288, 6144, 3072, 1536, 768, 384, 192, 96, as released weights need them"
    )
    assert found["human36 regressor"].text.endswith("17 joints, 6890 vertices")
    data = by_subject(files.datasets(tiny_root))
    assert {finding.level for finding in data.values()} == {OK}
    assert list(data) == list(DATASETS)
    assert data["Synthetic"].text == "needs no files"


def test_faces_that_released_weights_do_not_fit():
    mesh = load_mesh_model("body", "open_1723")
    mesh.name = "smpl"
    (finding,) = files._graph(mesh)
    assert finding.level == WARN
    assert "released weights need 12288, 6144, 3072" in finding.text


def test_an_empty_root_has_only_warnings(tmp_path):
    found = [*files.models(tmp_path), *files.weights(tmp_path), *files.datasets(tmp_path)]
    assert {finding.level for finding in found} == {OK, WARN}
    assert by_subject(found)["weights"].level == WARN
    assert "the open models are used instead" in by_subject(found)["MANO right"].advice


def test_damaged_licensed_files_fail(tmp_path):
    folder = tmp_path / "smplpytorch/smplpytorch/native/models"
    folder.mkdir(parents=True)
    (folder / "SMPL_NEUTRAL.pkl").write_bytes(b"<html>quota exceeded</html>")
    assert by_subject(files.models(tmp_path))["SMPL neutral"].level == FAIL


def test_weights_say_what_they_are_for(tmp_path, weights):
    place = tmp_path / "experiment"
    for name in ("coco", "mano"):
        shutil.copytree(weights[name].parent, place / name)
    (place / "damaged").mkdir()
    (place / "damaged" / "final.pth.tar").write_bytes(b"PK half a file")
    shutil.copytree(weights["coco"].parent, place / "exp_11-22_10-00-00")
    found = by_subject(files.weights(tmp_path))
    assert "coco joints, for open_1723, level sizes" in found["coco"].text
    assert "mano joints, for open_hand" in found["mano"].text
    assert found["damaged"].level == FAIL
    assert found["runs"].text.startswith("1 training runs")


def test_exit_code_follows_the_findings(monkeypatch, tmp_path, capsys):
    for name in ("packages", "gpu", "opengl"):
        monkeypatch.setattr(packages, name, lambda *args: [Finding(OK, "thing", "fine")])
    monkeypatch.setattr("sys.argv", ["doctor.py", "--root", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        doctor.main()
    assert stop.value.code == 0
    assert "0 to mend" in capsys.readouterr().out
    monkeypatch.setattr(packages, "gpu", lambda: [Finding(FAIL, "thing", "broken", "mend it")])
    with pytest.raises(SystemExit) as stop:
        doctor.main()
    assert stop.value.code == 1
    assert "FAIL  thing: broken -> mend it" in capsys.readouterr().out


def test_the_doctor_starts_without_any_package():
    """``-S`` hides every installed package, as in an environment where nothing was installed yet."""
    code = "import sys; sys.argv = ['doctor.py', '--help']; from main.doctor import main; main()"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "one line per finding" in done.stdout
