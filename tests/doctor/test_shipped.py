"""Shipped files are those of the table, and a changed one is named."""

import shutil

from lib import ROOT
from lib.doctor.finding import FAIL, OK, WARN
from lib.doctor.shipped import TABLE, shipped_files, table_of


def test_the_table_is_that_of_the_files():
    written = (ROOT / TABLE).read_text(encoding="utf-8").splitlines()
    assert "experiment/pose2mesh_cocoJ_open/final.pth.tar" in {line.split("  ")[1] for line in written}
    # whoever trains has further weights there
    assert set(written) <= set(table_of(ROOT).splitlines()), "renew it: python -m lib.doctor.shipped"


def test_a_flipped_bit_and_a_lost_file_are_found(tmp_path):
    for name in ("sample_pose_coco.npy", "sample_pose_smpl.npy", "sample_pose_mano.npy"):
        (tmp_path / "demo").mkdir(exist_ok=True)
        shutil.copy(ROOT / "demo" / name, tmp_path / "demo")
    (tmp_path / TABLE).parent.mkdir()
    (tmp_path / TABLE).write_text(table_of(tmp_path))
    assert [finding.level for finding in shipped_files(tmp_path)] == [OK]
    path = tmp_path / "demo" / "sample_pose_coco.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (tmp_path / "demo" / "sample_pose_mano.npy").unlink()
    found = {finding.subject: finding for finding in shipped_files(tmp_path) if finding.level != OK}
    assert {name: finding.level for name, finding in found.items()} == {
        "demo/sample_pose_coco.npy": FAIL,
        "demo/sample_pose_mano.npy": WARN,
    }
    assert found["demo/sample_pose_coco.npy"].advice == "git checkout demo/sample_pose_coco.npy"
