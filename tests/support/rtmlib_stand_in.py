"""Stands for rtmlib and ONNX Runtime where they are not installed: model files are texts, models find what is set."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

HOST = "https://example.org/models/"


def _modes(*names: str) -> dict:
    """rtmlib's table of a class: for each mode the archives of boxes and joints."""
    return {
        mode: {
            "det": f"{HOST}{names[0]}-{mode}.zip",
            "det_input_size": (416, 416),
            "pose": f"{HOST}{names[1]}-{mode}.zip",
            "pose_input_size": (192, 256),
        }
        for mode in ("lightweight", "balanced", "performance")
    }


class _Tool:
    """rtmlib's class of a model; ``found`` are the outputs of all of them by class."""

    found: dict = {}  # noqa: RUF012
    made: list = []  # noqa: RUF012
    nms_thr, score_thr = 0.45, 0.7

    def __init__(self, path, model_input_size, backend, device):
        print(f"load {path} with {backend} backend")
        assert Path(path).is_file()  # rtmlib would download others
        self.made.append((type(self).__name__, Path(path).name, model_input_size))

    def preprocess(self, image):
        return image, 1.0

    def inference(self, image):
        outputs = self.found[type(self).__name__]
        if isinstance(outputs, Exception):
            raise outputs
        return outputs


class YOLOX(_Tool):
    def postprocess(self, boxes, ratio):
        return boxes[0, :, :4] if boxes.shape[-1] == 5 else boxes[0, boxes[0, :, 5] > 0.5, :4]


class RTMDet(YOLOX):
    pass


class RTMPose(_Tool):
    def __call__(self, image, bboxes):
        assert len(bboxes)
        people = np.stack([self.inference(image)] * len(bboxes))
        return people[..., :2] + np.array(bboxes)[:, None, :2], people[..., 2]


class RTMO(_Tool):
    def postprocess(self, outputs, ratio, nms_thr, score_thr):
        keep = outputs[0][0, :, 4] > score_thr
        people = outputs[1][0, keep] if keep.any() else np.zeros_like(outputs[1][0, :1])  # as rtmlib
        return people[..., :2], people[..., 2]


class _Session:
    """Inputs and outputs as the lines of the file: name, then the shape; numbers are fixed sides."""

    def __init__(self, path, options, providers):
        lines = Path(path).read_text().splitlines()
        if not lines or "," not in lines[0]:
            raise RuntimeError("Protobuf parsing\nfailed.")
        self.tensors = [self._tensor(*line.split()) for line in lines]

    @staticmethod
    def _tensor(name, shape, kind="tensor(float)"):
        return SimpleNamespace(name=name, shape=[int(s) if s.isdecimal() else s for s in shape.split(",")], type=kind)

    def get_inputs(self):
        return [tensor for tensor in self.tensors if tensor.name.startswith("input")]

    def get_outputs(self):
        return [tensor for tensor in self.tensors if not tensor.name.startswith("input")]

    def run(self, names, inputs):
        sides = [[side if isinstance(side, int) else 17 for side in output.shape] for output in self.get_outputs()]
        return [np.zeros(shape, np.float32) for shape in sides]


def install(monkeypatch, cache: Path) -> type[_Tool]:
    """Put the stand-ins in place, with an empty cache; ``found`` and ``made`` of the result are new."""
    monkeypatch.setattr(_Tool, "found", {})
    monkeypatch.setattr(_Tool, "made", [])
    body = SimpleNamespace(MODE=_modes("yolox", "body"), RTMO_MODE={"balanced": {"pose": f"{HOST}rtmo.zip",
                           "pose_input_size": (640, 640)}})  # fmt: skip
    tables = {"Wholebody": SimpleNamespace(MODE=_modes("yolox", "whole")), "Body": body}
    tables |= {"BodyWithFeet": SimpleNamespace(MODE=_modes("yolox", "feet"))}
    tables |= {"Hand": SimpleNamespace(MODE={"lightweight": _modes("rtmdet_hand", "hand")["lightweight"]})}
    tools = {tool.__name__: tool for tool in (YOLOX, RTMDet, RTMPose, RTMO)}
    files = SimpleNamespace(_get_rtmhub_dir=lambda: str(cache))
    runtime = SimpleNamespace(
        SessionOptions=SimpleNamespace,
        set_default_logger_severity=lambda severity: None,
        GraphOptimizationLevel=SimpleNamespace(ORT_DISABLE_ALL=0),
        InferenceSession=_Session,
    )
    monkeypatch.setitem(sys.modules, "rtmlib", SimpleNamespace(**tables, **tools))
    monkeypatch.setitem(sys.modules, "rtmlib.tools.file", files)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    return _Tool
