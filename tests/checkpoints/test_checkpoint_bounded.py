"""Checkpoints with settings, graphs or weights that make no sense are refused by the file's name, in one line."""

import warnings
import zipfile

import pytest
import torch

from lib.checkpoints.files import load_checkpoint
from lib.predictor import Pose2MeshPredictor
from tests.support.files.checkpoint_files import original
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


def _archive(path, weights, pickled: bytes) -> None:
    with zipfile.ZipFile(weights) as archive, zipfile.ZipFile(path, "w") as changed:
        for entry in archive.infolist():
            is_pickle = entry.filename.endswith("/data.pkl")
            changed.writestr(entry.filename, pickled if is_pickle else archive.read(entry))


_TUPLES = b"K\x01q\x000" + b"".join(b"(" + b"h%c" % i * 10 + b"tq%c0" % (i + 1) for i in range(30))
_STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu\x8a\x06%btQ"
_FAR = _STORAGE % (10**12).to_bytes(6, "little")
PICKLES = {
    "key of tuples": b"\x80\x02}" + _TUPLES + b"h\x1eK\x01s.",
    "set of tuples": b"\x80\x02c__builtin__\nset\n" + _TUPLES + b"h\x1e\x85\x85R.",
    "ordered dict of tuples": b"\x80\x02ccollections\nOrderedDict\n(" + _TUPLES + b"h\x1eK\x01\x86\x85\x85R.",
    "zeros": b"\x80\x02c__builtin__\nbytearray\n\x8a\x06" + (10**12).to_bytes(6, "little") + b"\x85R.",
    "storage": b"\x80\x02" + _FAR + b".",
    "attribute": b"\x80\x02cnumpy\ndtype\n}X\x08\x00\x00\x00__init__K\x01sb.",
}


@pytest.mark.parametrize("name", PICKLES)
def test_pickles_take_no_more_than_they_are(name, tmp_path, weights):
    path = tmp_path / "a.pth.tar"
    _archive(path, weights["coco"], PICKLES[name])
    with pytest.raises(ValueError, match=r"a\.pth\.tar .*(could not be read|was refused)"):
        load_checkpoint(path)


def test_storages_of_the_old_form_are_no_larger_than_the_file(tmp_path):
    content = original("legacy2020").read_bytes()
    path = tmp_path / "a.pth.tar"
    place = content.index(b"FloatStorage")
    count = content.index(b"M", content.index(b"cpu", place))  # the number of numbers, two bytes
    path.write_bytes(content[:count] + b"\x8a\x06" + (10**12).to_bytes(6, "little") + content[count + 3 :])
    with pytest.raises(ValueError, match="its tensors need more than the"):
        load_checkpoint(path)


def test_changed_content_is_noticed_by_its_digest(tmp_path, weights):
    content = torch.load(weights["coco"], weights_only=True)
    content["config"]["TRAIN"]["lr"] *= 2
    torch.save(content, tmp_path / "a.pth.tar")  # with checksums that fit
    with pytest.raises(ValueError, match=r"a\.pth\.tar .*damaged; copy or download it again .*SHA-256"):
        load_checkpoint(tmp_path / "a.pth.tar")
