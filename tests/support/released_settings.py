"""What the 18 settings files of the original release say."""

# file: train, test, input joints, target joints, workers, batch, end epoch, first epoch without edge loss, milestone,
# factor, posenet_pretrained, posenet_path, weight_path, vis; None where the file does not have the key. Folders below
# experiment/ are named, the file in them is final.pth.tar.
FILES = {
    "pose2mesh_cocoJ_test_3dpw": (
        "HCM", "P", "coco", "human36", 16, 128, 15, 7, 12, 0.1, False, None, "pose2mesh_cocoJ_train_human36_coco_muco",
        False),
    "pose2mesh_cocoJ_train_human36_coco_amass": (
        "HCA", "P", "coco", "human36", 16, 64, 15, 7, 10, 0.1, True, "posenet_cocoJ_train_human36_coco_amass", None,
        None),
    "pose2mesh_cocoJ_train_human36_coco_muco": (
        "HCM", "P", "coco", "human36", 16, 64, 15, 7, 12, 0.1, True, "posenet_cocoJ_train_human36_coco_muco", None,
        None),
    "pose2mesh_human36J_test_human36": (
        "H", "H", "human36", "human36", 16, 64, 15, 7, 12, 0.1, False, None, "pose2mesh_human36J_train_human36", True),
    "pose2mesh_human36J_train_human36": (
        "H", "H", "human36", "human36", 16, 64, 15, 7, 12, 0.1, True, "posenet_human36J_train_human36", None, None),
    "pose2mesh_manoJ_test_freihand": (
        "F", "F", "mano", "mano", 16, 64, 40, 15, 30, 0.1, False, None, "pose2mesh_manoJ_train_freihand", True),
    "pose2mesh_manoJ_train_freihand": (
        "F", "F", "mano", "mano", 16, 64, 40, 15, 30, 0.1, True, "posenet_manoJ_train_freihand", None, None),
    "pose2mesh_smplJ_test_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 15, 7, 12, 0.1, False, None, "pose2mesh_smplJ_train_surreal", True),
    "pose2mesh_smplJ_train_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 15, 7, 12, 0.1, True, "posenet_smplJ_train_surreal", None, None),
    "posenet_cocoJ_test_3dpw": (
        "HCM", "P", "coco", "coco", 16, 64, 30, None, 20, 0.1, None, None, "posenet_cocoJ_train_human36_coco_muco",
        None),
    "posenet_cocoJ_train_human36_coco_amass": (
        "HCA", "P", "coco", "coco", 6, 64, 30, None, 20, 0.1, None, None, None, None),
    "posenet_cocoJ_train_human36_coco_muco": (
        "HCM", "P", "coco", "coco", 16, 64, 30, None, 20, 0.1, None, None, None, None),
    "posenet_human36J_test_human36": (
        "H", "H", "human36", "human36", 16, 64, 60, None, 30, 0.5, None, None, "posenet_human36J_train_human36", None),
    "posenet_human36J_train_human36": (
        "H", "H", "human36", "human36", 16, 64, 60, None, 30, 0.5, None, None, None, None),
    "posenet_manoJ_test_freihand": (
        "F", "F", "mano", "mano", 16, 64, 120, None, 90, 0.1, None, None, "posenet_manoJ_train_freihand", None),
    "posenet_manoJ_train_freihand": (
        "F", "F", "mano", "mano", 16, 64, 120, None, 90, 0.1, None, None, None, None),
    "posenet_smplJ_test_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 60, None, 30, 0.5, None, None, "posenet_smplJ_train_surreal", None),
    "posenet_smplJ_train_surreal": (
        "S", "S", "smpl", "smpl", 16, 64, 60, None, 30, 0.5, None, None, None, None),
}  # fmt: skip
