"""The picture of the sample scene: camera, painted room, soft shadows, dressed bodies.

World: metres, x right, y away from the camera, z up, floor at z = 0. Colours are (r, g, b) in 0..1.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lib.mesh.mesh_model import MeshModel
from lib.render.mesh_renderer import MeshRenderer

WIDTH, HEIGHT = 960, 640
FOCAL = 1200.0  # pixels
EYE = np.array([0.0, -5.0, 1.40])
TILT = np.deg2rad(6.0)  # downwards
# rows: right, down, forward
CAMERA = np.array([[1, 0, 0], [0, -np.sin(TILT), -np.cos(TILT)], [0, np.cos(TILT), -np.sin(TILT)]], dtype=np.float64)
WALL = 2.3  # y of the wall
TILE = 0.6
OVERSAMPLING = 2

SHADOW_CELL = 0.02  # metres
SHADOW_AREA = np.array([[-4.5, -3.5], [4.5, 3.5]])
SHADOW_SHIFT = np.array([0.22, 0.30])  # of a point 1 m above the floor: light comes from the upper left front
CONTACT_HEIGHT = 0.25


@dataclass(frozen=True)
class Body:
    """Something in the room: vertices (V, 3), world; faces (F, 3); colours (V, 3)."""

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray


def screen(points: np.ndarray) -> np.ndarray:
    """World points (..., 3) to x, y in pixels and depth in metres."""
    local = (points - EYE) @ CAMERA.T
    depth = local[..., 2:]
    return np.concatenate([local[..., :2] / depth * FOCAL + np.array([WIDTH, HEIGHT]) / 2, depth], axis=-1)


def dress(model: MeshModel, shirt, trousers, skin, hair) -> np.ndarray:
    """Vertex colours (V, 3): clothes by the joint that moves a vertex most, hair by the place on the head."""
    arrays = model.arrays()
    owner, rest = arrays["weights"].argmax(axis=1), arrays["v_template"]
    colours = np.empty(rest.shape)
    for joints, colour in (
        ((3, 6, 9, 13, 14, 16, 17), shirt),
        ((0, 1, 2, 4, 5), trousers),
        ((7, 8, 10, 11, 12, 15, 18, 19, 20, 21, 22, 23), skin),
    ):
        colours[np.isin(owner, joints)] = colour
    nose, *_, ear, _ = rest[model.face_vertex_ids]
    eye = rest[model.face_vertex_ids[1]]
    brow = eye[1] + 0.35 * (eye[1] - nose[1]) + 0.02
    # the hairline falls from above the brow to below the ears at the back
    line = np.interp(rest[:, 2], [ear[2] - 0.06, ear[2] + 0.015, nose[2]], [ear[1] - 0.05, ear[1] + 0.02, brow + 0.045])
    colours[(owner == 15) & (rest[:, 1] > line)] = hair
    return colours


def box(centre: np.ndarray, size: np.ndarray, heading: float, colour) -> Body:
    """A box of (width, depth, height) on the floor, turned by ``heading`` radians about the vertical; sharp edges."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0, 1)]) * size
    turn = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])
    corners[:, :2] = corners[:, :2] @ turn.T + centre
    sides = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (1, 5, 7, 3), (0, 2, 6, 4))
    vertices = corners[np.ravel(sides)]
    faces = np.concatenate([[[4 * i, 4 * i + 1, 4 * i + 2], [4 * i, 4 * i + 2, 4 * i + 3]] for i in range(len(sides))])
    return Body(vertices, faces, np.tile(colour, (len(vertices), 1)))


def shadow_map(bodies: list[Body]) -> np.ndarray:
    """Light that reaches each cell of the floor, 0..1."""
    size = np.round((SHADOW_AREA[1] - SHADOW_AREA[0]) / SHADOW_CELL).astype(int)
    cast, contact = (np.zeros(size[::-1], dtype=np.float32) for _ in range(2))
    for body in bodies:
        z = body.vertices[:, 2:]
        for canvas, points, chosen in (
            (cast, body.vertices[:, :2] + z * SHADOW_SHIFT, body.faces),
            (contact, body.vertices[:, :2], body.faces[(z[body.faces, 0] < CONTACT_HEIGHT).all(axis=1)]),
        ):
            cells = np.round((points - SHADOW_AREA[0]) / SHADOW_CELL * 16).astype(np.int32)
            for triangle in cells[chosen]:
                cv2.fillConvexPoly(canvas, triangle, 1.0, cv2.LINE_8, 4)
    cast = 0.6 * cv2.GaussianBlur(cast, (0, 0), 4) + 0.4 * cv2.GaussianBlur(cast, (0, 0), 14)
    contact = cv2.GaussianBlur(contact, (0, 0), 3)
    return (1 - 0.42 * cast) * (1 - 0.45 * contact)


def paint_room(bodies: list[Body], scale: int, rng: np.random.Generator) -> np.ndarray:
    """Tiled floor with the bodies' shadows, and a wall with a picture: (H, W, 3), colours, ``scale`` times as large."""
    v, u = np.mgrid[0 : HEIGHT * scale, 0 : WIDTH * scale] / scale + 0.5 / scale
    rays = np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones_like(u)], axis=-1) @ CAMERA
    to_wall = (WALL - EYE[1]) / rays[..., 1]
    wall_x, wall_z = EYE[0] + to_wall * rays[..., 0], EYE[2] + to_wall * rays[..., 2]
    with np.errstate(divide="ignore"):
        to_floor = np.minimum(-EYE[2] / np.minimum(rays[..., 2], -1e-6), 100)
    x, y = EYE[0] + to_floor * rays[..., 0], EYE[1] + to_floor * rays[..., 1]

    room = np.where((wall_z < 0)[..., None], _floor(x, y, shadow_map(bodies), rng), _wall(wall_x, wall_z))
    fade = 1 - 0.22 * ((u / WIDTH - 0.45) ** 2 + (v / HEIGHT - 0.45) ** 2) / 0.5
    return np.clip(room * fade[..., None], 0, 1)


def _floor(x: np.ndarray, y: np.ndarray, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    column, row = np.floor(x / TILE).astype(int), np.floor(y / TILE).astype(int)
    tones = rng.uniform(0.94, 1.03, (64, 64))
    tone = tones[column % 64, row % 64] * np.where((column + row) % 2, 1.0, 0.91)
    joint = np.minimum(np.abs(x / TILE - np.round(x / TILE)), np.abs(y / TILE - np.round(y / TILE))) * TILE
    tone = tone * np.where(joint < 0.006, 0.86, 1.0)
    cells = ((np.stack([x, y], axis=-1) - SHADOW_AREA[0]) / SHADOW_CELL - 0.5).astype(np.float32)
    lit = cv2.remap(light, cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    corner = 1 - 0.30 * np.exp(-np.abs(WALL - y) / 0.25)
    return (tone * lit * corner)[..., None] * np.array([0.80, 0.73, 0.64])


def _wall(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    shape = (*x.shape, 3)
    wall = np.array([0.80, 0.85, 0.84]) * (0.90 + 0.05 * z - 0.10 * np.exp(-z / 0.35))[..., None]

    def fill(where, colour):
        wall[where] = np.broadcast_to(colour, shape)[where]

    fill(z < 0.10, [0.93, 0.93, 0.91])
    # a framed landscape
    px, pz = (x + 1.05) / 1.0, (z - 1.78) / 0.62
    inside = np.maximum(np.abs(px), np.abs(pz))
    shade = (np.abs(px - 0.02) < 0.58) & (np.abs(pz + 0.05) < 0.60)
    wall[shade] *= 0.90
    fill((np.abs(px) < 0.55) & (np.abs(pz) < 0.57), [0.36, 0.28, 0.22])
    fill((np.abs(px) < 0.51) & (np.abs(pz) < 0.51), [0.97, 0.96, 0.93])
    sky = (inside < 0.44) & (np.abs(pz) < 0.42)
    fill(sky, np.stack([0.97 - 0.25 * pz, 0.80 + 0.05 * pz, 0.62 + 0.45 * pz], axis=-1))
    fill(sky & (np.hypot((px - 0.15) * 1.0, (pz - 0.12) * 0.62) < 0.09), [1.0, 0.95, 0.80])
    fill(sky & (pz < 0.02 + 0.10 * np.sin(5 * px + 0.6)), [0.48, 0.56, 0.62])
    fill(sky & (pz < -0.14 + 0.08 * np.sin(7 * px + 2.4)), [0.33, 0.46, 0.47])
    fill(sky & (pz < -0.28 + 0.05 * np.sin(4 * px + 4.0)), [0.23, 0.34, 0.33])
    return wall


def draw_scene(bodies: list[Body], rng: np.random.Generator) -> np.ndarray:
    """The picture, (HEIGHT, WIDTH, 3) uint8, blue-green-red."""
    room = paint_room(bodies, OVERSAMPLING, rng)
    image = np.round(255 * room[..., ::-1]).astype(np.uint8)
    reference = -EYE[1]
    camera = np.array([2 * FOCAL / (WIDTH * reference), 2 * FOCAL / (HEIGHT * reference), 0, 0])
    renderer = MeshRenderer()
    for body in sorted(bodies, key=lambda body: -screen(body.vertices)[:, 2].mean()):
        # perspective is in the points already: the weak-perspective camera draws them at any depth where they belong
        points = screen(body.vertices)
        points[:, :2] = (points[:, :2] - np.array([WIDTH, HEIGHT]) / 2) * reference / FOCAL
        image = renderer.render(points, body.faces, image, camera, body.colours)
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
