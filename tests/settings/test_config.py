import dataclasses

import pytest
import yaml

from lib.joints.lookup import get_joint_set
from lib.settings.config import Config, ModelConfig
from lib.settings.reading import load_config, merge
from tests.helpers import ROOT

YAMLS = sorted((ROOT / "asset" / "yaml").glob("*.yml"))


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.stem)
def test_every_shipped_config_loads(path):
    cfg = load_config(path)
    named = path.stem.split("_")[1].removesuffix("J")
    assert named == get_joint_set(cfg.DATASET.input_joint_set).name
    assert cfg.MODEL.name == ("posenet" if path.stem.startswith("posenet") else "pose2mesh_net")


def test_defaults_are_the_papers():
    cfg = Config()
    assert cfg.MODEL.posenet_width == 4096
    assert cfg.MODEL.edge_loss_weight == 20
    assert cfg.MODEL.input_shape == [384, 288]
    assert (cfg.TRAIN.optimizer, cfg.TRAIN.lr, cfg.TRAIN.lr_step, cfg.TRAIN.lr_factor) == ("rmsprop", 0.001, [30], 0.1)
    assert (cfg.TRAIN.batch_size, cfg.TRAIN.end_epoch, cfg.TRAIN.edge_loss_start) == (64, 40, 15)


def test_added_keys_keep_published_behaviour():
    cfg = Config()
    assert (cfg.DATASET.human36_protocol, cfg.DATASET.test_split, cfg.DATASET.muco_fit_check) == (
        2,
        "test",
        "published",
    )
    assert (cfg.DATASET.derive_noisy, cfg.DATASET.zero_hands, cfg.TRAIN.mask_mesh_losses) == (False, False, False)
    assert (cfg.TEST.smooth, cfg.TEST.save_predictions, cfg.TEST.freihand_unit) == (False, False, "mm")
    assert (cfg.DATASET.input_scale, cfg.TRAIN.lift_loss, cfg.TRAIN.edge_loss) == ("axis", "coordinate", "absolute")
    assert (cfg.MODEL.part_loss_weight, cfg.TRAIN.detail_weight, cfg.TRAIN.mesh_part) == (0, 1, "all")
    assert (cfg.MODEL.base_components, cfg.MODEL.posenet_mirror) == (0, False)
    synthetic = cfg.SYNTHETIC
    assert (synthetic.any_view_share, synthetic.jitter_share, synthetic.mix_parts) == (0, 0, 0)


def test_round_trip_through_yaml(tmp_path):
    cfg = merge({"TRAIN": {"lr": 0.5, "lr_step": [3, 4]}, "MODEL": {"mesh_channels": [[5, 8], [8, 3]]}})
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(cfg.to_dict()))
    assert load_config(path) == cfg


def test_two_configs_share_nothing():
    first, second = Config(), Config()
    first.DATASET.train_list.append("X")
    assert second.DATASET.train_list == ["Human36M", "COCO", "MuCo"]


def test_original_values_are_accepted(tmp_path):
    path = tmp_path / "old.yml"
    path.write_text("MODEL:\n  input_shape: [384, 288]\n  edge_loss_weight: 20\nTRAIN:\n  resume_path: 'x.pth.tar'\n")
    cfg = load_config(path)
    assert cfg.MODEL.edge_loss_weight == 20.0
    assert cfg.TRAIN.resume_path == "x.pth.tar"


def test_empty_file_changes_nothing(tmp_path):
    path = tmp_path / "empty.yml"
    path.write_text("")
    assert load_config(path) == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TRIAN:\n  lr: 1.0\n", ["TRIAN not exist in config.py", "did you mean TRAIN"]),
        ("TRAIN:\n  batchsize: 1\n", ["TRAIN.batchsize not exist in config.py", "did you mean batch_size"]),
        ("TRAIN:\n  batch_size: big\n", ["TRAIN.batch_size", "expected int", "'big'"]),
        ("TRAIN:\n  batch_size: true\n", ["TRAIN.batch_size", "expected int", "bool"]),
        ("TRAIN:\n  lr: fast\n", ["TRAIN.lr", "expected a number", "'fast'"]),
        ("TRAIN:\n  lr: true\n", ["TRAIN.lr", "expected a number"]),
        ("TRAIN: {lr: 1.0}\nTRAIN: {lr: 2.0}\n", ["TRAIN", "given twice"]),
        ("TRAIN: {lr: 1.0, lr: 2.0}\n", ["lr", "given twice", "line 1"]),
        ("SYNTHETIC: {clean_share: 0.7, jitter_share: 0.5}\n", ["clean_share", "jitter_share", "more than all"]),
        ("base: [a.yml]\n", ["base", "name of a file"]),
        ("TRAIN:\n  lr_step: 3\n", ["TRAIN.lr_step", "expected a list"]),
        ("TRAIN:\n  lr_step: [x]\n", ["TRAIN.lr_step[0]", "expected int"]),
        ("TRAIN: 3\n", ["TRAIN", "expected keys and values"]),
        ("- 1\n", ["expected sections"]),
        ("TRAIN:\n  optimizer: rmsprob\n", ["TRAIN.optimizer", "rmsprop"]),
        ("DATASET:\n  input_joint_set: coco17\n", ["DATASET.input_joint_set", "human36"]),
        ("TRAIN: [\n", ["not valid YAML"]),
        ("TRAIN:\n  batch_size: 1\n", ["TRAIN.batch_size", "the least is 2"]),
        ("TRAIN:\n  print_freq: 0\n", ["TRAIN.print_freq"]),
        ("MODEL:\n  input_shape: [384]\n", ["MODEL.input_shape", "two positive numbers"]),
        ("SYNTHETIC:\n  distance: [0.0, 3.0]\n", ["SYNTHETIC.distance"]),
        ("DATASET:\n  human36_protocol: 3\n", ["DATASET.human36_protocol", "1, 2"]),
        ("DATASET:\n  test_split: 'val'\n", ["DATASET.test_split", "validation"]),
        ("DATASET:\n  muco_fit_check: 'off'\n", ["DATASET.muco_fit_check", "published, annotated"]),
        ("TEST:\n  freihand_unit: 'cm'\n", ["TEST.freihand_unit", "mm, m"]),
        ("TEST:\n  smooth: 1\n", ["TEST.smooth", "expected bool"]),
        ("DATASET:\n  input_scale: 'both'\n", ["DATASET.input_scale", "axis, common"]),
        ("TRAIN:\n  lift_loss: 'l2'\n", ["TRAIN.lift_loss", "coordinate, distance"]),
        ("TRAIN:\n  edge_loss: 'log'\n", ["TRAIN.edge_loss", "absolute, relative"]),
        ("TRAIN:\n  mesh_part: 'posenet'\n", ["TRAIN.mesh_part", "all, base"]),
        ("TRAIN:\n  detail_weight: -1.0\n", ["TRAIN.detail_weight", "the least is 0"]),
        ("TRAIN:\n  detail_weight: .nan\n", ["TRAIN.detail_weight", "the least is 0"]),
        ("MODEL:\n  part_loss_weight: -0.1\n", ["MODEL.part_loss_weight", "the least is 0"]),
        ("MODEL:\n  posenet_mirror: 1\n", ["MODEL.posenet_mirror", "expected bool"]),
        ("MODEL:\n  base_components: -1\n", ["MODEL.base_components", "the least is 0"]),
        ("MODEL:\n  base_components: 1.5\n", ["MODEL.base_components", "expected int"]),
        ("MODEL:\n  base_width: -1\n", ["MODEL.base_width", "the least is 0"]),
        ("MODEL:\n  base_stages: -1\n", ["MODEL.base_stages", "the least is 0"]),
        ("SYNTHETIC:\n  mix_parts: 30.0\n", ["SYNTHETIC.mix_parts", "share from 0 to 1"]),
        ("SYNTHETIC:\n  any_view_share: 1.01\n", ["SYNTHETIC.any_view_share", "share from 0 to 1"]),
        ("SYNTHETIC:\n  turned_share: -0.1\n", ["SYNTHETIC.turned_share", "share from 0 to 1"]),
        ("SYNTHETIC:\n  jitter_share: .nan\n", ["SYNTHETIC.jitter_share", "share from 0 to 1"]),
        ("SYNTHETIC:\n  clean_share: 2.0\n", ["SYNTHETIC.clean_share", "share from 0 to 1"]),
        ("SYNTHETIC:\n  view_roll: -15.0\n", ["SYNTHETIC.view_roll", "the least is 0"]),
        ("SYNTHETIC:\n  view_elevation: 60.0\n", ["SYNTHETIC.view_elevation", "expected a list"]),
        ("SYNTHETIC:\n  view_elevation: [60.0]\n", ["SYNTHETIC.view_elevation", "two angles"]),
        ("SYNTHETIC:\n  view_elevation: [60.0, -30.0]\n", ["SYNTHETIC.view_elevation", "the lower one first"]),
        ("SYNTHETIC:\n  view_elevation: [0.0, 90.0]\n", ["SYNTHETIC.view_elevation", "between -90 and 90"]),
    ],
)
def test_mistakes_are_named(tmp_path, text, words):
    path = tmp_path / "bad.yml"
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        load_config(path)
    for word in [*words, "bad.yml"]:
        assert word in str(error.value)


def test_missing_file():
    with pytest.raises(FileNotFoundError, match="asset/yaml"):
        load_config("nowhere.yml")


def test_missing_file_names_the_nearest():
    with pytest.raises(FileNotFoundError, match=r"did you mean asset/yaml/pose2mesh_cocoJ_test_3dpw\.yml\?"):
        load_config("asset/yaml/pose2mesh_cocoJ_test_3dwp")


def test_a_bare_name_means_the_shipped_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = ROOT / "asset" / "yaml" / "pose2mesh_cocoJ_test_3dpw.yml"
    for name in ("pose2mesh_cocoJ_test_3dpw", "pose2mesh_cocoJ_test_3dpw.yml"):
        assert load_config(name) == load_config(path)
    (tmp_path / "pose2mesh_cocoJ_test_3dpw.yml").write_text("TRAIN: {lr: 0.5}")
    assert load_config("pose2mesh_cocoJ_test_3dpw.yml").TRAIN.lr == 0.5


def test_every_setting_of_the_model_says_whose_weights_depend_on_it():
    for key in dataclasses.fields(ModelConfig):
        assert key.metadata["rules"].fits is not None, key.name


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().TRAIN.lr = 1.0
    cfg = Config()
    assert cfg.changed(TRAIN={"lr": 0.5}).TRAIN.lr == 0.5
    assert cfg == Config()


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", "1E-3"])
def test_numbers_as_people_write_them(tmp_path, text):
    path = tmp_path / "a.yml"
    path.write_text(f"TRAIN:\n  lr: {text}\n")
    assert load_config(path).TRAIN.lr == 0.001
    assert load_config(None, [f"TRAIN.lr={text}"]).TRAIN.lr == 0.001


def test_a_file_starts_from_its_base(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yml").write_text("TRAIN: {lr: 0.5, batch_size: 8}\nTEST: {vis: true}\n")
    (tmp_path / "b.yml").write_text("base: below/a.yml\nTRAIN: {lr: 0.25}\n")
    (tmp_path / "c.yml").write_text("base: b.yml\nTEST:\nDATASET: {workers: 0}\n")
    cfg = load_config(tmp_path / "c.yml", ["TRAIN.batch_size=4"])
    assert (cfg.TRAIN.lr, cfg.TRAIN.batch_size, cfg.TEST.vis, cfg.DATASET.workers) == (0.25, 4, True, 0)


def test_errors_of_a_base_name_its_file(tmp_path):
    (tmp_path / "a.yml").write_text("base: b.yml\n")
    with pytest.raises(FileNotFoundError, match=r"b\.yml.*a\.yml names as base"):
        load_config(tmp_path / "a.yml")
    (tmp_path / "b.yml").write_text("TRAIN: {speed: 1}\n")
    with pytest.raises(ValueError, match=r"b\.yml: TRAIN\.speed not exist"):
        load_config(tmp_path / "a.yml")
    (tmp_path / "b.yml").write_text("base: a.yml\n")
    with pytest.raises(ValueError, match="its own base"):
        load_config(tmp_path / "a.yml")


def test_single_settings_replace_those_of_the_file(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("TRAIN: {lr: 0.5, batch_size: 8}")
    cfg = load_config(path, ["TRAIN.lr=0.25", "DATASET.train_list=[AMASS]", "TEST.vis=True"])
    assert (cfg.TRAIN.lr, cfg.TRAIN.batch_size, cfg.DATASET.train_list, cfg.TEST.vis) == (0.25, 8, ["AMASS"], True)
    assert load_config(None, ["TEST.batch_size=3"]).TEST.batch_size == 3


@pytest.mark.parametrize("change, words", [
    ("TRAIN.lr", "expected SECTION.key=value"), ("lr=1", "expected SECTION.key=value"),
    ("TRAIN.lrr=1.0", "did you mean lr"), ("TRAIN.lr=fast", "expected a number"), ("TRAIN.lr=[", "not valid YAML"),
])  # fmt: skip
def test_bad_single_settings_are_named(change, words):
    with pytest.raises(ValueError, match=f"--set .*{words}"):
        load_config(None, [change])
