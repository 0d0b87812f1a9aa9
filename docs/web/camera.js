// Where people stand: every mesh is about its own root joint, and the size of the 2D pose tells the distance.

const SMALLEST_SCALE = 1e-3;  // of the ratio of 2D to 3D spread: scales stay positive, else a body would be mirrored

// The picture's part that poses are in, {x, y, width, height} in pixels, where there is no picture.
function frameAround(poses) {
  const { low, high } = boxOf(poses.flat());
  const margin = 0.15 * Math.max(high[0] - low[0], high[1] - low[1]);
  return { x: low[0] - margin, y: low[1] - margin, width: high[0] - low[0] + 2 * margin, height: high[1] - low[1] + 2 * margin };
}

// Scale (pixels per metre) and shift (pixels) of the weak-perspective camera with the least squares between the
// keypoints (K, 2) and the joints (3J, millimetres), whose first K are the keypoints.
function fitCamera(points, pose3d) {
  const middle = (get) => [0, 1].map((axis) => points.reduce((sum, _, i) => sum + get(i, axis), 0) / points.length);
  const joint = (i, axis) => pose3d[3 * i + axis] / 1000, point = (i, axis) => points[i][axis];
  const from = middle(joint), to = middle(point);
  let product = 0, square = 0, spread = 0;
  for (let i = 0; i < points.length; i++) {
    for (const axis of [0, 1]) {
      const x = joint(i, axis) - from[axis], u = point(i, axis) - to[axis];
      product += x * u;
      square += x * x;
      spread += u * u;
    }
  }
  const scale = Math.max(product / square, SMALLEST_SCALE * Math.sqrt(spread / square));
  return { scale, shift: [0, 1].map((axis) => to[axis] - scale * from[axis]) };
}

// Translation (3) in metres of a mesh into the frame of a perspective camera that looks at the frame's middle, with its
// diagonal as focal length (lib/export/cameras.py).
function placeOf({ scale, shift }, frame) {
  const focal = Math.hypot(frame.width, frame.height);
  const centre = [frame.x + frame.width / 2, frame.y + frame.height / 2];
  return [(shift[0] - centre[0]) / scale, (shift[1] - centre[1]) / scale, focal / scale];
}

function moved(vertices, translation) {
  return vertices.map((value, i) => value + translation[i % 3]);
}
