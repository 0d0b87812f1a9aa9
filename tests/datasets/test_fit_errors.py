"""Errors of body fits, by hand."""

from types import SimpleNamespace

import torch

from lib.datasets.fit_errors import coco_error


def test_coco_fits_are_judged_by_labelled_keypoints_only():
    fitted = torch.rand(1, 19, 2, generator=torch.Generator().manual_seed(0)) * 100
    fitted[0, 0], fitted[0, 1] = torch.tensor([0.0, 0.0]), torch.tensor([101.0, 129.0])  # a square crop of 128 pixels
    keypoints = torch.cat([fitted[:, :17] + 1000, torch.zeros(1, 17, 1)], dim=2)
    for joint, offset in ((3, 2.0), (5, 4.0)):
        keypoints[0, joint] = torch.tensor([*(fitted[0, joint] + torch.tensor([0.0, offset])), 1])
    posed = SimpleNamespace(rows={"keypoints": keypoints}, image=lambda _: fitted, input_set="coco")
    torch.testing.assert_close(coco_error(posed), torch.tensor([1.5]))  # 1 and 2 pixels of a crop of 64
