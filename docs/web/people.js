// From a file's joints to poses that can be lifted, by the rules of lib/poses: mapped, gaps filled, or refused.

// (K, 3) joints of the network from those of a file: the first way whose joints are there, else score 0.
function mapJoints(rows, ways, missingScore) {
  if (!ways) return rows;
  const there = rows.map((row) => row[2] > missingScore);
  return ways.map((choices) => {
    const way = choices.find((parts) => parts.every(([index]) => there[index]));
    if (!way) return [0, 0, 0];
    const mean = (axis) => way.reduce((sum, [index, weight]) => sum + weight * rows[index][axis], 0);
    return [mean(0), mean(1), Math.min(...way.map(([index]) => rows[index][2]))];
  });
}

function median(values) {
  const ordered = [...values].sort((a, b) => a - b), n = ordered.length;
  return (ordered[(n - 1) >> 1] + ordered[n >> 1]) / 2;
}

// Indices of the joints (K, 3) that count as missing.
function missingOf(joints, model) {
  const gone = (joint) => !(joint[2] > model.joint_score);
  const seen = joints.filter((joint) => !gone(joint));
  if (!seen.length) return joints.map((_, i) => i);
  const middle = [0, 1].map((axis) => median(seen.map((joint) => joint[axis])));
  const apart = (joint) => Math.hypot(joint[0] - middle[0], joint[1] - middle[1]);
  const farthest = model.stray * Math.max(median(seen.map(apart)), 1e-6);
  return joints.flatMap((joint, i) => gone(joint) || apart(joint) > farthest ? [i] : []);
}

// Keypoints (K, 3) and behind them the derived joints (a, b): means, with the product of the scores.
function withDerived(joints, derived) {
  const mean = (a, b) => [(joints[a][0] + joints[b][0]) / 2, (joints[a][1] + joints[b][1]) / 2, joints[a][2] * joints[b][2]];
  return [...joints, ...derived.map(([a, b]) => mean(a, b))];
}

function sizeOf(joints) {
  if (!joints.length) return 0;
  const { low, high } = boxOf(joints);
  return Math.max(high[0] - low[0], high[1] - low[1]);
}

// Whether two people's joints are so near that they are one person found twice (lib/poses/filters.py).
function sameJoints(a, b, model) {
  const visible = (joint) => joint[2] > model.joint_score;
  const both = a.flatMap((joint, i) => visible(joint) && visible(b[i]) ? [(Math.abs(joint[0] - b[i][0]) + Math.abs(joint[1] - b[i][1])) / 2] : []);
  const size = Math.max(...[a, b].map((joints) => sizeOf(joints.filter(visible))));
  const [small, large] = model.usual_sizes;
  const limit = model.duplicate_distance * Math.min(size / small, 1) * Math.max(size / large, 1);
  return both.length > 0 && both.reduce((sum, apart) => sum + apart, 0) < limit * both.length;
}

function refusal(gone, model) {
  const names = (list) => list.map((joint) => model.joints[joint]).join(", ");
  if (!gone.length) return null;
  const missing = `${gone.length} of ${model.keypoint_num} joints missing (${names(gone)})`;
  if (gone.length > Math.floor(model.keypoint_num / 2)) return missing + ", more than half";
  const untold = gone.filter((joint) => !model.sampled[joint]);
  if (untold.length) return missing + `, and no sample pose tells where ${names(untold)} may be`;
  const needed = Math.min(model.trunk_needed, model.trunk.length);
  const trunk = model.trunk.filter((joint) => !gone.includes(joint));
  return trunk.length < needed ? missing + `; of ${names(model.trunk)} ${needed} are needed` : null;
}

// A person's keypoints (K, 3) without gaps: {points: (K, 2), filled: indices} or {refused: words}.
function completed(joints, model, samples) {
  const gone = missingOf(joints, model);
  const refused = refusal(gone, model);
  if (refused) return { refused };
  const flat = joints.flatMap(([x, y]) => [x, y]);
  if (gone.length) fillJoints(flat, gone, samples, model);
  const points = toPairs(flat);
  const { low, high } = boxOf(points);
  const [width, height] = [high[0] - low[0], high[1] - low[1]];
  if (Math.min(width, height) >= model.smallest) return { points, filled: gone };
  const found = `${width.toPrecision(3)} x ${height.toPrecision(3)} in size`;
  return { refused: `${found}: joints must be spread over at least ${model.smallest} pixels, and be pixels, no fractions of the picture` };
}

// People of a file whom the network takes: {kept: [{number, points, filled}], notes: words about the others and gaps}.
// samples: flat sample poses, see fillJoints.
function selectPeople(people, model, samples) {
  const kept = [], notes = [];
  people.forEach((rows, number) => {
    const joints = mapJoints(rows, model.sources[rows.length].ways, model.joint_score).slice(0, model.keypoint_num);
    const all = withDerived(joints, model.derived);
    const total = all.reduce((sum, joint) => sum + joint[2], 0);
    const twin = kept.find((other) => sameJoints(all, other.all, model));
    let result;
    if (!(total >= model.person_score)) result = { refused: `scores sum to ${total.toFixed(2)}, less than ${model.person_score}` };
    else if (twin) result = { refused: `the same as person ${twin.number}` };
    else result = completed(joints, model, samples);
    if (result.refused) {
      notes.push(`Person ${number} left out: ${result.refused}.`);
      return;
    }
    const names = result.filled.map((joint) => model.joints[joint]);
    if (names.length) notes.push(`Person ${number}: ${names.length} missing joint(s) filled from the others: ${names.join(", ")}.`);
    kept.push({ number, all, ...result });
  });
  return { kept, notes };
}

function toPairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

// The least and the largest coordinates of points (N, C).
function boxOf(points) {
  const low = [...points[0]], high = [...points[0]];
  for (const point of points) {
    point.forEach((value, axis) => {
      low[axis] = Math.min(low[axis], value);
      high[axis] = Math.max(high[axis], value);
    });
  }
  return { low, high };
}
