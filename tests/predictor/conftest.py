import pytest

from lib.predictor import Pose2MeshPredictor


@pytest.fixture(scope="package")
def predictor(weights) -> Pose2MeshPredictor:
    """A small random network on coco joints."""
    return Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="network")
