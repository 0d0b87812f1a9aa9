// Missing joints from the visible ones, as lib/poses/missing.py: a locally weighted ridge regression on sample poses.

// Middle (2) and root mean square extent of the chosen joints of flat points [x, y, x, y, ...] from an offset on.
function frameOf(points, offset, joints) {
  const middle = [0, 0];
  for (const joint of joints) for (const axis of [0, 1]) middle[axis] += points[offset + 2 * joint + axis] / joints.length;
  let square = 0;
  for (const joint of joints) for (const axis of [0, 1]) square += (points[offset + 2 * joint + axis] - middle[axis]) ** 2;
  return { middle, extent: Math.max(Math.sqrt(square / joints.length), 1e-6) };
}

function inFrame(points, offset, joints, { middle, extent }) {
  return joints.flatMap((joint) => [0, 1].map((axis) => (points[offset + 2 * joint + axis] - middle[axis]) / extent));
}

// points: flat (2K), whose gone joints are filled; samples: flat (S x 2K); rule: {neighbours, ridge}.
function fillJoints(points, gone, samples, rule) {
  const count = points.length / 2;
  const seen = [...Array(count).keys()].filter((joint) => !gone.includes(joint));
  const own = frameOf(points, 0, seen);
  const input = inFrame(points, 0, seen, own);
  const rows = [];
  for (let offset = 0; offset < samples.length; offset += 2 * count) {
    const frame = frameOf(samples, offset, seen);
    const x = inFrame(samples, offset, seen, frame);
    rows.push({ offset, frame, x, distance: x.reduce((sum, value, i) => sum + (value - input[i]) ** 2, 0) });
  }
  rows.sort((a, b) => a.distance - b.distance);
  const near = rows.slice(0, rule.neighbours);
  const farthest = Math.max(near[near.length - 1].distance, 1e-12);
  const weights = near.map((row) => Math.exp(-2 * row.distance / farthest));
  const total = weights.reduce((sum, weight) => sum + weight);
  const xs = near.map((row) => row.x);
  const ys = near.map((row) => inFrame(samples, row.offset, gone, row.frame));
  const mean = (vectors) => vectors[0].map((_, i) => vectors.reduce((sum, v, n) => sum + weights[n] * v[i], 0) / total);
  const xMean = mean(xs), yMean = mean(ys);
  const product = (a, aMean, b, bMean) => aMean.map((_, i) => bMean.map((_, j) =>
    a.reduce((sum, row, n) => sum + weights[n] * (row[i] - aMean[i]) * (b[n][j] - bMean[j]), 0) / total));
  const normal = product(xs, xMean, xs, xMean);
  const ridge = rule.ridge * normal.reduce((sum, row, i) => sum + row[i], 0) / normal.length + 1e-9;
  normal.forEach((row, i) => { row[i] += ridge; });
  const slope = solve(normal, product(xs, xMean, ys, yMean));
  gone.forEach((joint, number) => {
    for (const axis of [0, 1]) {
      const column = 2 * number + axis;
      const value = slope.reduce((sum, row, i) => sum + (input[i] - xMean[i]) * row[column], yMean[column]);
      points[2 * joint + axis] = value * own.extent + own.middle[axis];
    }
  });
}

// X of A X = B by Gauss's elimination; A (n x n) is positive definite. Both are overwritten.
function solve(a, b) {
  for (let i = 0; i < a.length; i++) {
    for (let row = 0; row < a.length; row++) {
      if (row === i) continue;
      const factor = a[row][i] / a[i][i];
      for (let k = i; k < a.length; k++) a[row][k] -= factor * a[i][k];
      for (let k = 0; k < b[row].length; k++) b[row][k] -= factor * b[i][k];
    }
  }
  return b.map((row, i) => row.map((value) => value / a[i][i]));
}
