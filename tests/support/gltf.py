"""A reader of binary glTF for tests, from the format alone: what a program shows at a time of an animation."""

import json
import struct

import numpy as np

_TYPES = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Gltf:
    def __init__(self, path):
        data = path.read_bytes()
        magic, version, size = struct.unpack_from("<4sII", data)
        assert (magic, version, size) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json = json.loads(data[20 : 20 + length])
        assert struct.unpack_from("<I4s", data, 20 + length)[1] == b"BIN\0"
        self._bytes = data[28 + length :]

    def array(self, number: int) -> np.ndarray:
        accessor = self.json["accessors"][number]
        view, width = self.json["bufferViews"][accessor["bufferView"]], _WIDTHS[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        count = accessor["count"] * width
        values = np.frombuffer(self._bytes, _TYPES[accessor["componentType"]], count, start)
        return values.reshape(-1, 4, 4).swapaxes(1, 2) if width == 16 else values.reshape(-1, width)

    def find(self, kind: str, name: str) -> dict:
        (found,) = [entry for entry in self.json[kind] if entry["name"] == name]
        return found

    def world(self, animation: str | None = None, time: float = 0.0) -> np.ndarray:
        """(nodes, 4, 4) of all nodes, at rest or at a time of an animation."""
        nodes = [dict(node) for node in self.json["nodes"]]
        if animation is not None:
            clip = self.find("animations", animation)
            for channel in clip["channels"]:
                sampler = clip["samplers"][channel["sampler"]]
                value = _interpolated(self.array(sampler["input"])[:, 0], self.array(sampler["output"]), time)
                nodes[channel["target"]["node"]][channel["target"]["path"]] = value
        world = np.zeros((len(nodes), 4, 4))

        def place(number: int, above: np.ndarray) -> None:
            world[number] = above @ _matrix(nodes[number])
            for child in nodes[number].get("children", ()):
                place(child, world[number])

        for root in self.json["scenes"][self.json["scene"]]["nodes"]:
            place(root, np.eye(4))
        return world

    def joints(self, person: str, world: np.ndarray) -> np.ndarray:
        """(K, 3) of a person's skin."""
        return world[self.find("skins", person)["joints"], :3, 3]

    def skinned(self, person: str, world: np.ndarray) -> np.ndarray:
        """(V, 3) of a person's mesh."""
        skin = self.find("skins", person)
        attributes = self.find("meshes", person)["primitives"][0]["attributes"]
        points, joints, weights = (self.array(attributes[key]) for key in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
        bones = world[skin["joints"]] @ self.array(skin["inverseBindMatrices"]).astype(np.float64)
        mixed = np.einsum("vi,vijk->vjk", weights.astype(np.float64), bones[joints])
        return np.einsum("vjk,vk->vj", mixed, np.pad(points.astype(np.float64), ((0, 0), (0, 1)), constant_values=1))[
            :, :3
        ]


def _interpolated(times: np.ndarray, values: np.ndarray, time: float) -> np.ndarray:
    values = values.astype(np.float64)
    if time <= times[0] or len(times) == 1:
        return values[0]
    if time >= times[-1]:
        return values[-1]
    after = int(np.searchsorted(times, time, side="right"))
    share = (time - times[after - 1]) / (times[after] - times[after - 1])
    mixed = (1 - share) * values[after - 1] + share * values[after]
    return mixed / np.linalg.norm(mixed) if values.shape[1] == 4 else mixed


def _matrix(node: dict) -> np.ndarray:
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
