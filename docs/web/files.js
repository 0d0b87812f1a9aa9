// What the page hands out: Wavefront OBJ, binary glTF, JSON; as lib/export/meshes.py writes them.

// people: [{name, vertices (3V) metres in the camera's frame, faces (3F), colour}]
function objText(people) {
  const parts = [];
  let first = 1;
  for (const { name, vertices, faces } of people) {
    if (people.length > 1) parts.push(`g ${name}\n`);
    for (let i = 0; i < vertices.length; i += 3) parts.push(`v ${vertices[i]} ${vertices[i + 1]} ${vertices[i + 2]}\n`);
    for (let i = 0; i < faces.length; i += 3) parts.push(`f ${faces[i] + first} ${faces[i + 1] + first} ${faces[i + 2] + first}\n`);
    first += vertices.length / 3;
  }
  return new Blob(parts, { type: "text/plain" });
}

// glTF has y up and z towards the viewer: a half turn about x.
function glbFile(people) {
  const views = [], chunks = [], json = { asset: { version: "2.0", generator: "Pose2Mesh" }, scene: 0 };
  Object.assign(json, { scenes: [{ nodes: [] }], nodes: [], meshes: [], materials: [], accessors: [], bufferViews: views });
  let length = 0;
  const store = (array, target, accessor) => {
    views.push({ buffer: 0, byteOffset: length, byteLength: array.byteLength, target });
    chunks.push(array);
    length += array.byteLength;  // of 4-byte numbers, so that the next one is aligned
    json.accessors.push({ bufferView: views.length - 1, ...accessor });
    return json.accessors.length - 1;
  };
  people.forEach(({ name, vertices, faces, colour }, number) => {
    const points = Float32Array.from(vertices, (value, i) => i % 3 ? -value : value);
    const normals = unitNormals(points, faces);
    const count = points.length / 3;
    const axis = (k) => Array.from({ length: count }, (_, i) => points[3 * i + k]);
    const [low, high] = [Math.min, Math.max].map((extreme) => [0, 1, 2].map((k) => axis(k).reduce((a, b) => extreme(a, b))));
    const attributes = {
      POSITION: store(points, 34962, { componentType: 5126, count, type: "VEC3", min: low, max: high }),
      NORMAL: store(normals, 34962, { componentType: 5126, count, type: "VEC3" }),
    };
    const indices = store(Uint32Array.from(faces), 34963, { componentType: 5125, count: faces.length, type: "SCALAR" });
    const pbrMetallicRoughness = { baseColorFactor: [...colour, 1], metallicFactor: 0, roughnessFactor: 0.6 };
    json.materials.push({ name, pbrMetallicRoughness });
    json.meshes.push({ name, primitives: [{ attributes, indices, material: number }] });
    json.nodes.push({ name, mesh: number });
    json.scenes[0].nodes.push(number);
  });
  json.buffers = [{ byteLength: length }];
  const text = new TextEncoder().encode(JSON.stringify(json));
  const padding = new Uint8Array(-text.length & 3).fill(32);
  const size = text.length + padding.length;
  const words = (...values) => Uint32Array.from(values);  // glTF and every machine with a browser are little-endian
  const head = words(0x46546c67, 2, 28 + size + length, size, 0x4e4f534a);
  return new Blob([head, text, padding, words(length, 0x004e4942), ...chunks], { type: "model/gltf-binary" });
}

function unitNormals(points, faces) {
  const normals = normalsOf(points, faces, [0, faces.length], false);
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]);
    if (length) for (let k = 0; k < 3; k++) normals[i + k] /= length;
    else normals[i + 1] = 1;  // a vertex without faces
  }
  return normals;
}

// Vertices and joints about each person's root, and where that is.
function jsonFile(people, model) {
  const triples = (flat) => Array.from({ length: flat.length / 3 }, (_, i) => [...flat.slice(3 * i, 3 * i + 3)]);
  const content = {
    joint_set: model.joint_set,
    joints: model.joints,
    units: { keypoints: "pixels", pose3d: "mm", mesh: "m", translation: "m" },
    frame: "x right, y down, z away from the camera; mesh and pose3d relative to the root, mesh + translation in the camera's frame",
    people: people.map(({ number, points, pose3d, mesh, translation }) =>
      ({ number, keypoints: points, pose3d: triples(pose3d), mesh: triples(mesh), translation })),
  };
  return new Blob([JSON.stringify(content)], { type: "application/json" });
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
