"""Decimation by half-edge collapse: every vertex that is left is a vertex of the source mesh.

Because no vertex moves, shapes, skin weights and landmarks of the source carry over exactly. The error of a collapse
is the quadric error of Garland and Heckbert (1997), summed over several shapes of the same mesh.
"""

import heapq

import numpy as np

from asset.open_body.build.mesh_ops import triangle_quality

MIN_NORMAL_COSINE = 0.35  # a face may turn by at most 70 degrees in one collapse
MIN_QUALITY = 0.12  # faces worse than this are refused unless they were as bad before
MAX_VALENCE, MAX_RIM_VALENCE = 9, 7


class Decimator:
    """Greedy half-edge collapses ``vertex -> target`` of one mesh, cheapest first.

    Args:
        positions: (S, n, 3) S shapes of the mesh, metres.
        faces: (F, 3) consistently oriented.
        plane: (n,) true for vertices on the mirror plane x = 0 when the mesh is one half of a symmetric one.
        weight: (n,) factor on the cost of removing a vertex.
        length_cost: cost per fourth power of the collapsed edge's length; evens out triangles in flat regions.
    """

    def __init__(
        self,
        positions: np.ndarray,
        faces: np.ndarray,
        plane: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        length_cost: float = 0.02,
    ):
        self.positions = np.asarray(positions, dtype=np.float64)
        vertex_num = self.positions.shape[1]
        self.triangles: list[tuple[int, ...] | None] = [tuple(face) for face in faces.tolist()]
        self.around: list[set[int]] = [set() for _ in range(vertex_num)]  # faces around each vertex
        for f, triangle in enumerate(self.triangles):
            for x in triangle:
                self.around[x].add(f)
        self.plane = np.zeros(vertex_num, dtype=bool) if plane is None else plane
        self.symmetric = bool(self.plane.any())
        self.weight = np.ones(vertex_num) if weight is None else weight
        self.length_cost = length_cost
        self.rim = np.zeros(vertex_num, dtype=bool)
        for edge in self._rim_edges():
            self.rim[list(edge)] = True
        self.alive = np.ones(vertex_num, dtype=bool)
        self.version = np.zeros(vertex_num, dtype=int)  # of a vertex's surroundings: outdates entries of the heap
        self.quadrics = self._quadrics(faces)
        self.heap: list[tuple[float, int, int, int, int]] = []
        for a in range(vertex_num):
            for b in self._neighbours(a):
                self._push(a, b)

    def _quadrics(self, faces: np.ndarray) -> np.ndarray:
        """(S, n, 4, 4) sums of squared-distance forms of the planes around each vertex, weighted by area."""
        corners = self.positions[:, faces]
        normals = np.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
        double_area = np.linalg.norm(normals, axis=-1, keepdims=True)
        normals = normals / (double_area + 1e-20)
        planes = np.concatenate([normals, -(normals * corners[:, :, 0]).sum(-1, keepdims=True)], axis=-1)
        forms = planes[..., :, None] * planes[..., None, :] * (double_area[..., None] / 2)
        quadrics = np.zeros((*self.positions.shape[:2], 4, 4))
        for c in range(3):
            for shape in range(len(quadrics)):
                np.add.at(quadrics[shape], faces[:, c], forms[shape])
        # a vertex of the mirror plane also has the mirrored faces
        reflect = np.diag([-1.0, 1, 1, 1])
        quadrics[:, self.plane] = quadrics[:, self.plane] + reflect @ quadrics[:, self.plane] @ reflect
        for a, b in self._rim_edges():
            if self.plane[a] and self.plane[b]:
                continue
            # an open rim keeps its shape: planes through its edges, at right angles to the surface
            triangle = list(self.triangles[next(iter(self.around[a] & self.around[b]))])
            for shape, vertices in enumerate(self.positions):
                p, q, r = vertices[triangle]
                edge = vertices[b] - vertices[a]
                normal = np.cross(np.cross(q - p, r - p), edge)
                normal /= np.linalg.norm(normal) + 1e-20
                plane = np.append(normal, -normal @ vertices[a])
                form = np.outer(plane, plane) * (edge @ edge)
                quadrics[shape, a] += form
                quadrics[shape, b] += form
        return quadrics

    def _neighbours(self, vertex: int) -> set[int]:
        ring = {x for f in self.around[vertex] for x in self.triangles[f]}
        ring.discard(vertex)
        return ring

    def _rim_edges(self) -> list[tuple[int, int]]:
        """Open edges, lower vertex first, in the order of the faces."""
        count: dict[tuple[int, int], int] = {}
        for triangle in filter(None, self.triangles):
            for a, b in zip(triangle, triangle[1:] + triangle[:1]):
                edge = (min(a, b), max(a, b))
                count[edge] = count.get(edge, 0) + 1
        return [edge for edge, faces in count.items() if faces == 1]

    def _cost(self, vertex: int, target: int) -> float:
        point = np.concatenate([self.positions[:, target], np.ones((len(self.positions), 1))], axis=1)
        quadric = self.quadrics[:, vertex] + self.quadrics[:, target]
        error = np.einsum("si,sij,sj->", point, quadric, point) / len(self.positions)
        length2 = ((self.positions[:, vertex] - self.positions[:, target]) ** 2).sum(-1).mean()
        return (max(error, 0.0) + self.length_cost * length2 * length2 + 1e-16) * self.weight[vertex]

    def _push(self, vertex: int, target: int) -> None:
        if self.rim[target] or not self.rim[vertex]:
            versions = self.version[vertex], self.version[target]
            heapq.heappush(self.heap, (self._cost(vertex, target), vertex, target, *versions))

    def allowed(self, vertex: int, target: int) -> bool:
        """Whether the collapse keeps a manifold with the same rim and mirror plane, and acceptable triangles."""
        shared = self.around[vertex] & self.around[target]
        if not shared:
            return False
        ring, target_ring = self._neighbours(vertex), self._neighbours(target)
        opposite = {x for f in shared for x in self.triangles[f]} - {vertex, target}
        if ring & target_ring != opposite:  # the link condition: otherwise two sheets would be glued
            return False
        if self.rim[vertex]:
            if not self.rim[target] or len(shared) != 1 or self.plane[vertex] != self.plane[target]:
                return False
        elif len(shared) != 2:
            return False
        for line in (self.plane, self.rim):  # an inner vertex must not pull a chord across the plane or the rim
            if line[target] and not line[vertex] and any(line[x] for x in ring - {target} - target_ring):
                return False
        valence = len(ring | target_ring) - 2
        if not 3 <= valence <= (MAX_RIM_VALENCE if self.rim[target] else MAX_VALENCE):
            return False
        if any(len(self._neighbours(x)) - 1 < (3 if self.rim[x] else 4) for x in opposite):
            return False
        moving = self.around[vertex] - shared
        if not moving:
            return True
        before = np.array([self.triangles[f] for f in moving])
        old, new = self.positions[:, before], self.positions[:, np.where(before == vertex, target, before)]
        old_normal = np.cross(old[:, :, 1] - old[:, :, 0], old[:, :, 2] - old[:, :, 0])
        new_normal = np.cross(new[:, :, 1] - new[:, :, 0], new[:, :, 2] - new[:, :, 0])
        lengths = np.linalg.norm(old_normal, axis=-1) * np.linalg.norm(new_normal, axis=-1)
        if ((old_normal * new_normal).sum(-1) / (lengths + 1e-20)).min() < MIN_NORMAL_COSINE:
            return False
        quality, worst_before = triangle_quality(new).min(0), triangle_quality(old).min()
        return not ((quality < MIN_QUALITY) & (quality < worst_before * 0.9)).any()

    def collapse(self, vertex: int, target: int) -> None:
        """Move ``vertex`` onto ``target``."""
        for f in self.around[vertex] & self.around[target]:
            for x in self.triangles[f]:
                self.around[x].discard(f)
            self.triangles[f] = None
        for f in self.around[vertex]:
            self.triangles[f] = tuple(target if x == vertex else x for x in self.triangles[f])
        self.around[target] |= self.around[vertex]
        self.around[vertex] = set()
        self.alive[vertex] = False
        self.quadrics[:, target] += self.quadrics[:, vertex]
        ring = self._neighbours(target) | {target}
        for x in ring:
            self.version[x] += 1
        for x in ring:
            for y in self._neighbours(x):
                self._push(x, y)
                if y not in ring:
                    self._push(y, x)

    def count(self) -> int:
        """Vertices left; of the whole mesh when this is one half of it."""
        return int(self.alive.sum() + (self.alive & ~self.plane).sum() * self.symmetric)

    def run(self, target: int, keep_rim: bool = False) -> None:
        """Collapse until ``count()`` is the target; ``keep_rim`` leaves the open rim's vertices.

        Raises:
            ValueError: no allowed collapse is left before the target.
        """
        left, skipped = self.count(), []
        while left > target and self.heap:
            entry = heapq.heappop(self.heap)
            _, vertex, end, *versions = entry
            if not (self.alive[vertex] and self.alive[end]) or versions != [self.version[vertex], self.version[end]]:
                continue
            removed = 2 if self.symmetric and not self.plane[vertex] else 1
            if removed > left - target:
                skipped.append(entry)
            elif not (keep_rim and self.rim[vertex]) and self.allowed(vertex, end):
                self.collapse(vertex, end)
                left -= removed
        for entry in skipped:
            heapq.heappush(self.heap, entry)
        if left != target:
            raise ValueError(f"decimation stopped at {left} vertices, wanted {target}")

    def run_rim(self, target: int) -> None:
        """Collapse edges of the open rim, cheapest first, until it has ``target`` vertices; ValueError when stuck."""
        while (left := int((self.rim & self.alive).sum())) > target:
            both_ways = [pair for a, b in self._rim_edges() for pair in ((a, b), (b, a))]
            ordered = sorted((self._cost(*pair), *pair) for pair in both_ways)
            pair = next(((vertex, end) for _, vertex, end in ordered if self.allowed(vertex, end)), None)
            if pair is None:
                raise ValueError(f"rim stopped at {left} vertices, wanted {target}")
            self.collapse(*pair)

    def faces(self) -> np.ndarray:
        """(F, 3) faces left, in the source's vertex indices."""
        return np.array([triangle for triangle in self.triangles if triangle is not None])
