"""Real time with a temporal lifter: what came before counts, pictures are late by what is looked ahead."""

import numpy as np
import pytest

from demo.live import main
from lib.demo.lifting import Lifter
from lib.demo.options import DemoOptions
from lib.joints.lookup import get_joint_set
from lib.live.lifting import LiveLifter
from lib.poses import Frame
from lib.predictor import Circumstances, Pose2MeshPredictor
from tests.helpers import ROOT
from tests.support.temporal import walk, write_temporal

POSES = ROOT / "demo" / "demo_input_video.json"
SIZE = (800, 600)


@pytest.fixture(scope="module")
def temporal(tmp_path_factory):
    return write_temporal(tmp_path_factory.mktemp("temporal") / "final.pth.tar")


@pytest.mark.parametrize("lookahead", [0, 3])
def test_a_picture_is_lifted_with_those_before_and_looked_ahead(weights, temporal, lookahead):
    predictor = Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="network", temporal=temporal)
    lifter = Lifter(predictor, DemoOptions())
    live = LiveLifter(lifter, get_joint_set("coco"), 30.0, "input", predictor.sequence_lifter, lookahead)
    poses = np.ones((8, 17, 3), np.float32)
    poses[..., :2] = walk(8)
    for number in range(8):
        found = live(number, Frame(str(number), poses[number : number + 1]), SIZE)
        assert (found is None) == (number < lookahead)
        if found is not None:
            wanted = predictor.predict_sequence(poses[: number + 1, :, :2], known=Circumstances(SIZE))[
                number - lookahead
            ]
            assert found.frame.tolist() == [str(number - lookahead)]
            np.testing.assert_allclose(found.vertices[0], wanted.mesh, atol=1e-4)
            np.testing.assert_allclose(found.translation[0], wanted.translation, atol=1e-4)


def test_command(weights, temporal, tmp_path, capsys):
    common = ["--poses", str(POSES), "--weights", str(weights["coco"]), "--show", "none", "--width", "160"]
    common += ["--renderer", "software", "--every_frame"]
    assert main([*common, "--temporal", str(temporal), "--lookahead", "3", "--frames", "4"]) == 0
    said = capsys.readouterr().out
    assert f"Lifting: with what came before, {temporal}; shown 3 frames, 100 ms later" in said
    assert "4 pictures shown" in said
    refused = [
        (["--lookahead", "3"], "--lookahead is 0 to 30 pictures, with --temporal"),
        (["--temporal", str(temporal), "--lookahead", "31"], "--lookahead is 0 to 30"),
        (["--temporal", "auto"], "--temporal is on, off, or the path"),
        (["--temporal", str(temporal), "--fps", "2"], "at least 5 frames per second, there are 2"),
        (["--temporal", str(tmp_path / "none.tar")], "none.tar"),
    ]
    for arguments, message in refused:
        assert main([*common, *arguments]) != 0
        assert message in capsys.readouterr().err
