"""Films over videos and folders: every pose over its own picture; people who are unseen for a moment."""

import json
import re

import cv2
import numpy as np
import pytest

import lib.poses.detector
from lib.demo import DemoOptions
from lib.demo.carrying import carry_over, longest_carried
from lib.demo.films import film_over
from lib.demo.images import ImageFolder, Images, VideoImages
from lib.demo.inputs import load_input
from lib.export import load_npz
from lib.poses import Frame, PoseSequence, Selection
from tests.support.demo_inputs import sample

SIDE = 120


def pose(x: float = 0.0, scale: float = 0.15) -> np.ndarray:
    """The sample (17, 3) in the picture's left, moved to the right."""
    points = (sample() - sample().min(axis=0)) * scale + [x + 5, 20]
    return np.column_stack([points, np.full(len(points), 0.9)]).astype(np.float32)


def film(numbers, name="{}.jpg") -> PoseSequence:
    frames = [Frame(name.format(number), pose()[None], None, number) for number in numbers]
    return PoseSequence(frames, "coco17", is_video=True)


def picture(number: int) -> np.ndarray:
    """Shows its number as its brightness."""
    return np.full((SIDE, SIDE, 3), min(15 * number + 20, 255), np.uint8)


def shown(image: np.ndarray) -> int:
    return round((float(image[-8:].mean()) - 20) / 15)


@pytest.fixture
def video(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12, (SIDE, SIDE))
    for number in range(12):
        writer.write(picture(number))
    writer.release()
    return tmp_path / "v.avi"


@pytest.fixture
def folder(tmp_path):
    def make(names) -> ImageFolder:
        (tmp_path / "images").mkdir()
        for name in names:
            path = tmp_path / "images" / name
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), picture(int("".join(filter(str.isdigit, path.stem)) or 0)))
        return ImageFolder(tmp_path / "images")

    return make


def test_poses_lie_over_their_own_frames_and_gaps_are_carried_over(run_demo, video, tmp_path, capsys):
    poses = {f"{number}.jpg": [pose(5 * number).tolist()] for number in (2, 3, 6, 10)}
    (tmp_path / "poses.json").write_text(json.dumps(poses))
    arguments = [
        "--mesh",
        "network",
        "--input_pose",
        tmp_path / "poses.json",
        "--input_img",
        video,
        "--save",
        "png,npz",
    ]
    assert run_demo(*arguments, "--smooth", "output") == 0
    assert "Carried over: 2 poses of people who were not seen for up to 2 frames" in capsys.readouterr().out
    people = load_npz(tmp_path / "result" / "poses_mesh.npz")
    assert people.frame.tolist() == ["2.jpg", "3.jpg", "4", "5", "6.jpg", "10.jpg"]
    assert people.carried.tolist() == [False, False, True, True, False, False]
    assert (people.confidence[people.carried] == 0).all()
    assert (people.confidence[~people.carried] > 0).all()
    left = people.pose2d[:, :17, 0].min(axis=1)
    np.testing.assert_allclose(left - left[0], 5 * np.array([0, 1, 2, 3, 4, 8]), atol=1e-3)
    files = sorted((tmp_path / "result" / "poses_frames").iterdir())
    assert [file.name for file in files] == [f"{number:06d}.png" for number in range(12)]
    for number, file in enumerate(files):
        drawn = cv2.imread(str(file))
        assert shown(drawn) == number
        assert (np.ptp(drawn[20:].reshape(-1)) > 30) == (number in (2, 3, 4, 5, 6, 10))


def test_a_video_gives_all_its_frames(video, folder):
    images = VideoImages(video)
    for numbers in ((2, 3, 7, 8), (0, 11)):
        sequence, _ = film_over(film(numbers), images)
        assert [len(frame.poses) for frame in sequence.frames] == [int(number in numbers) for number in range(12)]
        assert [shown(images.read(place, frame)) for place, frame in enumerate(sequence.frames)] == list(range(12))
    with pytest.raises(ValueError, match=r"poses go up to frame 12 .* but .*v\.avi has 12 frames"):
        film_over(film((0, 12)), images)
    sequence, _ = film_over(film((1, 12)), images)
    assert [frame.name for frame in sequence.frames if len(frame.poses)] == ["1.jpg", "12.jpg"]
    assert [frame.number for frame in sequence.frames if len(frame.poses)] == [0, 11]
    assert "count frames from 1" in sequence.notes[0]
    by_place, _ = film_over(film((None, None)), images)
    assert [len(frame.poses) for frame in by_place.frames] == [1, 1] + [0] * 10
    assert [frame.number for frame in film_over(film((2, 5)), Images((9, 9)))[0].frames] == [2, 3, 4, 5]


def test_a_video_that_claims_more_frames_than_it_has_ends_with_the_last_one(video):
    content = video.read_bytes()
    video.write_bytes(content[: len(content) * 17 // 20])
    images = VideoImages(video)
    sequence, _ = film_over(film((0, 3)), images)
    assert 3 < len(sequence.frames) < 12
    assert shown(images.read(len(sequence.frames) - 1, sequence.frames[-1])) == len(sequence.frames) - 1


@pytest.mark.parametrize(
    ("images", "numbers", "frames", "over", "note"),
    [
        ("{}.png", range(12), range(12), range(12), ""),  # by name, all images are of the film; natural order
        ("{:06d}.jpg", range(12), range(12), range(12), "found by its number"),
        ("{:06d}.jpg", range(1, 12), range(11), range(1, 12), "frame 0 of the poses is 000001.jpg.* counted from 0"),
        ("clip_{}.jpg", range(7, 16), range(9), range(7, 16), "counted from 0"),
        ("{}.jpg", (2, 3, 7, 8), range(2, 9), (2, 3, 3, 3, 3, 7, 8), "3 frames have no picture"),
        ("{:06d}.jpg", range(2, 9), range(2, 9), range(2, 9), "found by its number"),
    ],
)
def test_images_of_a_folder_belong_to_frames_by_their_numbers(folder, images, numbers, frames, over, note):
    needed = (2, 3, 7, 8)
    # one frame without people says that frames are counted from 0 where images are not
    listed = film((0, *needed) if "counted" in note else needed)
    sequence, series = film_over(listed, folder([images.format(number) for number in numbers]))
    assert [frame.number for frame in sequence.frames] == list(frames)
    assert [shown(series.read(place, frame)) for place, frame in enumerate(sequence.frames)] == list(over)
    assert {frame.number for frame in sequence.frames if len(frame.poses)} >= set(needed)
    assert re.search(note, "\n".join(sequence.notes))


def test_names_go_before_numbers_and_other_images_do_not_belong(folder):
    images = folder([*(f"clip_{number}.png" for number in range(5)), "7.png", "clip_9.jpg", "thumb.png"])
    sequence, series = film_over(film((1, 3), "clip_{}"), images)
    assert [shown(series.read(place, frame)) for place, frame in enumerate(sequence.frames)] == list(range(5))
    assert [frame.number for frame in sequence.frames if len(frame.poses)] == [1, 3]


def test_people_without_a_picture_are_an_error_before_lifting(folder, run_demo, tmp_path, capsys):
    images = folder([f"{number:03d}.jpg" for number in (0, 1, 2, 4)])
    with pytest.raises(
        FileNotFoundError, match=r"no picture for 2 of 3 frames with people: 3.jpg, 9.jpg; its 4 images"
    ):
        film_over(film((1, 3, 9)), images)
    (tmp_path / "poses.json").write_text(json.dumps({f"{number}.jpg": [pose().tolist()] for number in (1, 3)}))
    arguments = "--input_pose", tmp_path / "poses.json", "--input_img", tmp_path / "images"
    assert run_demo(*arguments, "--video") == 2
    assert "no picture for 1 of 2 frames with people: 3.jpg" in capsys.readouterr().err
    source = load_input(DemoOptions(input_pose=tmp_path / "poses.json", input_img=tmp_path / "images"))
    assert not source.sequence.is_video
    assert source.images.path(0, source.sequence.frames[0]).name == "001.jpg"
    assert "has no image '3.jpg': 1 of 2 left out" in source.sequence.notes[-1]
    (tmp_path / "poses.json").write_text(json.dumps({"beach2.jpg": [pose().tolist()], "8.jpg": [pose().tolist()]}))
    assert run_demo(*arguments) == 2
    assert "has no image 'beach2.jpg', '8.jpg'" in capsys.readouterr().err


def test_images_in_folders_are_found_by_names_that_say_where(folder, run_demo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lib.poses.detector, "detector_available", lambda: None)
    images = folder(["a/1.jpg", "b/2.jpg"])
    poses, given = tmp_path / "poses.json", ["--input_pose", tmp_path / "poses.json", "--input_img"]
    poses.write_text(json.dumps({name: [pose().tolist()] for name in ("a/1.jpg", "b/2.jpg")}))
    source = load_input(DemoOptions(input_pose=poses, input_img=tmp_path / "images"))
    assert [shown(source.images.read(0, frame)) for frame in source.sequence.frames] == [1, 2]
    with pytest.raises(FileNotFoundError, match=r"1 of 1 frames with people: 1.jpg; it has no image itself"):
        film_over(film((1,)), images)
    poses.write_text(json.dumps({name: [pose().tolist()] for name in ("a/1.jpg", "b/1.jpg")}))
    assert run_demo(*given, tmp_path / "images" / "a") == 2
    assert "1.jpg would be the image of a/1.jpg, b/1.jpg" in capsys.readouterr().err
    assert run_demo("--detect", "--detector", "mediapipe", "--input_img", tmp_path / "images") == 2
    assert "images has no image itself, but folders; give one" in capsys.readouterr().err


def test_frames_of_a_video_are_no_photos(run_demo, video, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lib.poses.detector, "detector_available", lambda: None)
    (tmp_path / "poses.json").write_text(json.dumps({f"{number}.jpg": [pose().tolist()] for number in (2, 7)}))
    for poses in (("--input_pose", tmp_path / "poses.json"), ("--detect", "--detector", "mediapipe")):
        assert run_demo(*poses, "--input_img", video, "--photos") == 2
        assert "v.avi is a video, whose frames follow each other; leave --photos out" in capsys.readouterr().err


def test_unrelated_photos_are_no_film(folder):
    images = folder(["IMG-20210924.jpg", "beach.jpg", "office.jpg"])
    with pytest.raises(
        FileNotFoundError, match=r"no picture .* its 3 images are IMG-20210924.jpg, beach.jpg, office.jpg"
    ):
        film_over(film((0, 1)), images)
    with pytest.raises(FileNotFoundError, match="3 of 3 .* do not all have a number of their own"):
        film_over(film((0, 1, 2)), images)
    in_order, _ = film_over(film((None,) * 3, "x"), images)  # as many: the user says so
    assert "in the order of the images' names" in in_order.notes[0]


class _Detector:
    source = "coco17"

    def __init__(self, kind, video):
        self.video = video

    def __call__(self, image):
        return Frame("", pose()[None])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def test_detection_in_a_folder_is_a_film_with_video_alone(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(lib.poses.detector, "Detector", _Detector)
    monkeypatch.setattr(lib.poses.detector, "detector_available", lambda: None)
    folder([f"{number}.jpg" for number in (10, 9, 12)])
    options = {"detect": True, "input_img": tmp_path / "images"}
    assert not load_input(DemoOptions(**options)).sequence.is_video
    source = load_input(DemoOptions(**options, video=True))
    assert [(frame.name, len(frame.poses)) for frame in source.sequence.frames] == [
        ("9.jpg", 1), ("10.jpg", 1), ("11", 0), ("12.jpg", 1)]  # fmt: skip
    assert source.sequence.is_video
    (tmp_path / "images" / "beach.jpg").write_bytes((tmp_path / "images" / "9.jpg").read_bytes())
    with pytest.raises(ValueError, match=r"told apart by numbers .* found 9.jpg, 10.jpg, 12.jpg, beach.jpg"):
        load_input(DemoOptions(**options, video=True))


def selection(people: dict[int, np.ndarray]) -> Selection:
    """People by track number."""
    poses = np.array([points[:, :2] for points in people.values()], float).reshape(-1, 17, 2)
    count = len(people)
    scores, filled = np.full((count, 17), 0.8, np.float32), np.zeros((count, 17), bool)
    return Selection(poses, scores, filled, np.arange(count), np.array(list(people), np.int64))


@pytest.mark.parametrize(("fps", "longest"), [(10, 2), (25, 2), (30, 3), (60, 6), (29.97, 2)])
def test_gaps_up_to_a_tenth_of_a_second_are_carried_over(fps, longest):
    assert longest_carried(fps) == longest
    for gap, carried in ((longest, longest), (longest + 1, 0)):
        other = {8: pose(900)}
        frames = [selection({4: pose(0)} | other), *[selection(other)] * gap, selection(other | {4: pose(60)})]
        result = carry_over([selection({}), *frames, selection({})], fps)[1:-1]
        assert [len(people) - 2 for people in result[1:-1]] == [0 if carried else -1] * gap
        for number, people in enumerate(result[1:-1] if carried else (), 1):
            np.testing.assert_allclose(people.poses[1], pose(60 * number / (gap + 1))[:, :2], atol=1e-4)
            assert people.tracks.tolist() == [8, 4]
            assert people.carried.tolist() == [False, True]
            assert people.kept.tolist() == [0, -1]
    untracked = [selection({-1: pose()}), selection({}), selection({-1: pose()})]
    assert [len(people) for people in carry_over(untracked, 30)] == [1, 0, 1]


def test_nobody_is_carried_onto_the_same_person_under_another_number():
    frames = [selection({0: pose()}), selection({1: pose(1)}), selection({0: pose(2)})]
    assert [people.tracks.tolist() for people in carry_over(frames, 30)] == [[0], [1], [0]]


def test_check_pictures_of_equal_names_do_not_replace_each_other(run_demo, tmp_path, capsys):
    names = ["a/1.jpg", "b/1.jpg", "A/1.JPG"]
    for given, expected in ((names, 3), (names[:1], 1)):
        (tmp_path / "poses.json").write_text(json.dumps({name: [pose().tolist()] * 2 for name in given}))
        output = tmp_path / str(expected)
        assert run_demo("--input_pose", tmp_path / "poses.json", "--check_input", output=output) == 0
        written = [path.name for path in output.iterdir()]
        assert len({name.casefold() for name in written}) == expected
        assert all(name.endswith("_check.png") for name in written)
    assert written == ["1_check.png"]  # as the files of lifting are called
    assert "Replaced" not in capsys.readouterr().out
