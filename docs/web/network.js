// The ONNX file in onnxruntime-web, in one thread: several need headers that only a server sends.

const BATCH = 8;  // people per call; bounds the memory

async function loadNetwork() {
  // a module cannot be imported from disk, but from memory
  const address = URL.createObjectURL(new Blob([await unpack("runtime")], { type: "text/javascript" }));
  const ort = await import(address);
  URL.revokeObjectURL(address);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unpack("wasm");
  const session = await ort.InferenceSession.create(await unpack("network"), { executionProviders: ["wasm"] });

  // poses: [[[x, y], ...]] pixels; {pose3d, mesh} per pose: Float32Array (3J) millimetres, (3V) metres
  async function lift(poses) {
    const results = [];
    for (let first = 0; first < poses.length; first += BATCH) {
      const part = poses.slice(first, first + BATCH);
      const input = new ort.Tensor("float32", Float32Array.from(part.flat(2)), [part.length, part[0].length, 2]);
      const { pose3d, mesh } = await session.run({ keypoints: input });
      for (let i = 0; i < part.length; i++) {
        const row = ({ data, dims: [, points, axes] }) => data.slice(i * points * axes, (i + 1) * points * axes);
        results.push({ pose3d: row(pose3d), mesh: row(mesh) });
      }
    }
    return results;
  }

  return { lift };
}
