"""Checkpoints with settings, graphs or weights that make no sense are refused by the file's name, in one line."""

import warnings
import zipfile

import pytest

from lib.checkpoints.files import load_checkpoint
from lib.predictor import Pose2MeshPredictor
from tests.support.made_inputs import CHECKPOINTS, write_checkpoint


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_nonsense_is_refused_before_anything_is_made_of_it(name, tmp_path, weights):
    path = tmp_path / f"{name}.pth.tar"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of quantised tensors
        write_checkpoint(path, name, weights["coco"])
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{name}\.pth\.tar") as refused:
        Pose2MeshPredictor("coco", path, "cpu")
    assert len(str(refused.value)) < 700


def test_packed_archives_are_refused(tmp_path, weights):
    path = tmp_path / "packed.pth.tar"
    with zipfile.ZipFile(weights["coco"]) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in archive.infolist():
            packed.writestr(entry.filename, archive.read(entry))
        packed.writestr("archive/data/bomb", bytes(10_000_000))
    with pytest.raises(ValueError, match=r"packed\.pth\.tar .*would unpack to"):
        load_checkpoint(path)
