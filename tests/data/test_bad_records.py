"""Records that are wrong in one place: what is left out, and which file and record an error names."""

import pytest

from tests.support.files.damaged_files import DETECTED, JSON_SETS, MISSING

NAN, INF = float("nan"), float("inf")
NO_AREA = ([5, 5, 0, 9], [5, 5, 9, 0.5], [5, 5, -3, 9], [5, 5, 1, 1], [0, 0, 0, 0])
NO_BOX = (None, [], [1, 2, 3], [1, 2, 3, 4, 5], "abcd", {}, [1, 2, 3, NAN], [1, 2, 3, None], [1, 2, INF, 4], MISSING)


def place_of(data, annotation: int) -> int:
    return [entry["id"] for entry in data.entries("annotations")].index(annotation)


def expect(data, *words) -> None:
    with pytest.raises(ValueError) as error:
        data.build()
    for word in words:
        assert str(word) in str(error.value), (word, error.value)


@pytest.mark.parametrize("name", JSON_SETS)
def test_boxes_without_area_are_left_out_and_counted(damaged, name, capsys):
    data = damaged(name)
    sound = data.build()
    before = sound.records.notes.get("with a box below one pixel", 0)
    keys = ("annotations", place_of(data, data.kept()), "bbox")
    for box in NO_AREA:
        data.put("", keys, box)
        capsys.readouterr()
        left = data.build()
        assert len(left) == len(sound) - 1, box
        assert f"{before + 1} with a box below one pixel" in capsys.readouterr().out


@pytest.mark.parametrize("name", JSON_SETS)
def test_boxes_that_are_none_are_errors(damaged, name):
    data = damaged(name)
    number = data.kept()
    for box in NO_BOX:
        data.put("", ("annotations", place_of(data, number), "bbox"), box)
        expect(data, data.files[0], f"annotation {number} has", "bbox")


def test_boxes_of_test_hands_are_not_looked_at(damaged):
    data = damaged("FreiHAND", "test")
    for box in (None, MISSING):
        data.put("", ("annotations", 0, "bbox"), box)
        assert len(data.build()) == 8


@pytest.mark.parametrize("name", JSON_SETS)
def test_wrong_links_between_entries(damaged, name):
    data = damaged(name)
    number = data.kept()
    place = place_of(data, number)
    annotations = data.entries("annotations")
    if name not in ("MuCo", "SURREAL"):  # these go from images to people
        data.put("", ("annotations", place, "image_id"), 999_999)
        expect(data, data.files[0], f"annotation {number} is of image 999999, which the file does not have")
    for wrong in ("7", None, [7], 1.5):
        data.put("", ("annotations", place, "image_id"), wrong)
        expect(data, data.files[0], f"entry {place} of annotations has the image_id", "whole number")
    data.put("", ("annotations",), [*annotations, 7])
    expect(data, data.files[0], f"entry {len(annotations)} of annotations has no id")
    for key in ("images", "annotations"):
        for wrong in (MISSING, None, {}):
            data.restore()
            data.put("", (key,), wrong)
            expect(data, data.files[0], f"no list of {key}")


@pytest.mark.parametrize("name", JSON_SETS)
def test_nothing_left(damaged, name):
    data = damaged(name)
    firsts = [path for path in data.files if path.name.endswith("_data.json")] if name == "Human36M" else data.files[:1]
    for path in firsts:
        data.put(path.name, ("annotations",), [])
    expect(data, firsts[0] if len(firsts) == 1 else firsts[0].parent, "no sample is left")


@pytest.mark.parametrize("name", JSON_SETS)
def test_images_without_people_do_no_harm(damaged, name):
    data = damaged(name)
    data.edit("", lambda content: content["images"].append({"id": 999_999}))
    left = data.build()
    assert len(left) == len(data.build(data.models))
    assert left.records.notes.get("without a person", 0) == (name in ("MuCo", "SURREAL"))


@pytest.mark.parametrize("name", JSON_SETS)
def test_the_last_of_several_entries_with_one_id_counts(damaged, name):
    """As pycocotools has it, and so the original."""
    data = damaged(name)
    sound, number = data.build(), data.kept()
    annotation = data.entries("annotations")[place_of(data, number)]
    image = next(image for image in data.entries("images") if image["id"] == annotation["image_id"])
    data.edit("", lambda content: content["annotations"].append(annotation | {"bbox": [3, 4, 50, 60]}))
    data.edit("", lambda content: content["images"].append(image | {"width": 77}))
    twice = data.build()
    assert len(twice) == len(sound)
    assert twice.records["annotation_id"].tolist() == sound.records["annotation_id"].tolist()
    row = twice.records["annotation_id"].tolist().index(number)
    assert twice.records["bbox"][row].tolist() == [3, 4, 50, 60]
    assert twice.records["image_size"][row][0] == 77
    for key in ("images", "annotations"):
        assert twice.records.notes[f"replaced by a later one of the same id in {key}"] == 1


@pytest.mark.parametrize("name", DETECTED)
def test_detections(damaged, name):
    data = damaged(name)
    path = data.files[-1]
    sound = data.build()
    column = "annotation_id" if name == "PW3D" else "image_id"
    first = sound.records["image"][0].decode().rpartition("/")[2] if name == "Human36M" else sound.records[column][0]

    def change(what):
        """``what`` gives the new pose of the first sample; None removes it."""

        def apply(content):
            table = name == "Human36M"
            place = first if table else next(i for i, entry in enumerate(content) if entry[column] == first)
            entry, key = (content, place) if table else (content[place], "keypoints")
            entry[key] = what(entry[key])
            if entry[key] is None:
                del content[place]

        data.restore()
        data.edit(path.name, apply)

    expected = sound.records["detections"]
    change(lambda pose: [[int(x), int(y)] for x, y, _ in pose])  # whole numbers, and no scores
    assert abs(data.build().records["detections"][0] - expected[0]).max() <= 1
    bad = {
        "no detection of": lambda pose: None,
        "expected (": lambda pose: pose[:-1],
        "has shape": lambda pose: [[x] for x, *_ in pose],
        "not finite": lambda pose: [[NAN, 1.0, 1.0], *pose[1:]],
        "no extent": lambda pose: [[1.0, y, s] for _, y, s in pose],
        "not a list of numeric joints": lambda pose: "abc",
        "is not": lambda pose: [[1, 2], *pose[1:]],
    }
    for words, what in bad.items():
        change(what)
        expect(data, path, f" {first}", words)
    data.restore()  # those of others only, in a file that is sound by itself
    data.edit(path.name, lambda content: _rename(content, column))
    expect(data, path, "no detection of", "detections of other images?")


def _rename(content, column: str) -> None:
    if isinstance(content, dict):
        for key in list(content):
            content[f"other_{key}"] = content.pop(key)
    else:
        for entry in content:
            entry[column] += 1_000_000


@pytest.mark.parametrize("name", DETECTED)
def test_more_detections_than_samples_do_no_harm(damaged, name):
    data = damaged(name)
    sound = data.build()

    def more(content):
        if isinstance(content, dict):
            content["other.jpg"] = None
        else:
            content.append(content[0] | {"annotation_id": 10**6, "image_id": 10**6, "keypoints": None})

    data.edit(data.files[-1].name, more)
    assert (data.build().records["detections"] == sound.records["detections"]).all()


@pytest.mark.parametrize("name", ["PW3D", "SURREAL", "FreiHAND"])
def test_a_second_detection_of_a_sample_is_an_error(damaged, name):
    data = damaged(name)
    data.edit(data.files[-1].name, lambda content: content.append(content[0]))
    expect(data, data.files[-1], "second detection")
