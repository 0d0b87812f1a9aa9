const LARGEST_FILE = 100e6;  // bytes

(async function () {
  const model = readData("model");
  const element = (id) => document.getElementById(id);
  const viewer = createViewer();
  const box = element("json"), status = element("status"), picker = element("frames"), canvas = element("picture");
  let samples, faces, turnedFaces, network, queue = Promise.resolve();
  let pictures = [], people = [], frame = null;
  let picture = null, ofSample = false;  // the image under the joints, and whether it came with a sample

  function say(words, bad = false) {
    status.textContent = words;
    status.classList.toggle("bad", bad);
  }

  function note(lines) {
    element("notes").replaceChildren(...lines.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
  }

  // An action of the user, after those before; errors are said, and the page goes on.
  function action(act) {
    return (...given) => {
      queue = queue.then(() => act(...given)).catch((error) => {
        if (!(error instanceof PoseError)) console.error(error);
        people = [];
        note([]);
        show();
        say(error instanceof PoseError ? error.message : `This went wrong: ${error.message}`, true);
      });
    };
  }

  // ---- from text to meshes ----
  async function start() {
    pictures = [];
    picker.hidden = true;
    pictures = readPoses(box.value, model.sources);
    picker.replaceChildren(...pictures.map(({ name, people }, i) => new Option(`${name || `picture ${i}`} (${people.length})`, i)));
    picker.hidden = pictures.length < 2;
    await lift(pictures[0]);
  }

  async function lift({ people: found }) {
    const left = element("left").checked;
    const mirror = (points) => left ? points.map(([x, ...others]) => [-x, ...others]) : points;
    const { kept, notes } = selectPeople(found.slice(0, model.most_people).map(mirror), model, samples);
    if (found.length > model.most_people) notes.push(`Only the first ${model.most_people} of ${found.length} people are taken.`);
    if (!kept.length) throw new PoseError(notes.join(" "));
    const begin = performance.now();
    const results = await network.lift(kept.map((person) => person.points));
    const spent = performance.now() - begin;
    const unmirror = (flat) => left ? flat.map((value, i) => i % 3 ? value : -value) : flat;
    const poses = kept.map((person) => mirror(person.points));
    frame = picture ? { x: 0, y: 0, width: picture.naturalWidth, height: picture.naturalHeight } : frameAround(poses);
    people = kept.map(({ number, filled }, i) => {
      const pose3d = unmirror(results[i].pose3d), mesh = unmirror(results[i].mesh);
      const translation = placeOf(fitCamera(poses[i], pose3d), frame);
      const colour = model.colours[number % model.colours.length];
      return { number, name: `person_${number}`, filled, points: poses[i], pose3d, mesh, translation, colour,
        vertices: moved(mesh, translation), faces: left ? turnedFaces : faces, turned: left };
    });
    note(notes);
    const each = people.length > 1 ? `, ${(spent / people.length).toFixed(1)} ms each` : "";
    say(`${people.length} ${people.length > 1 ? "people" : model.body === "hand" ? "hand" : "person"} in ${spent.toFixed(1)} ms${each}`);
    show();
  }

  function show() {
    for (const button of document.querySelectorAll("[data-file]")) button.disabled = !people.length;
    element("empty").hidden = people.length > 0;
    if (people.length) {
      const boxes = people.map(({ vertices }) => boxOf(Array.from({ length: vertices.length / 3 }, (_, i) => vertices.slice(3 * i, 3 * i + 3))));
      const extreme = (end, of) => [0, 1, 2].map((k) => of(...boxes.map((each) => each[end][k])));
      viewer?.setScene(extreme("low", Math.min), extreme("high", Math.max), faces);
    }
    viewer?.show(people.map(({ vertices, colour, turned }) => ({ vertices, colour, turned, faces: [0, faces.length] })));
    redraw();
    document.body.dataset.people = String(people.length);
  }

  function redraw() {
    const own = picture ? { x: 0, y: 0, width: picture.naturalWidth, height: picture.naturalHeight } : null;
    const context = frame && people.length ? frame : own ?? { x: 0, y: 0, width: 1, height: 1 };
    drawPoses(canvas, picture, context, people, model);
  }

  // ---- input ----
  async function showPicture(address) {
    const image = new Image();
    image.src = address;
    try {
      await image.decode();
    } catch {
      throw new PoseError("This file is no picture that the browser can show.");
    }
    picture = image;
  }

  async function take(files) {
    let lists = false;
    for (const file of files) {
      if (file.size > LARGEST_FILE) throw new PoseError(`${shown(file.name)} is larger than ${LARGEST_FILE / 1e6} MB.`);
      if (file.type.startsWith("image/")) {
        const address = URL.createObjectURL(file);
        try {
          await showPicture(address);
        } finally {
          URL.revokeObjectURL(address);
        }
        ofSample = false;
      } else {
        box.value = await file.text();
        if (ofSample) picture = null;
        lists = true;
      }
    }
    if (lists || people.length) return start();
    redraw();
    say("Now the poses of this picture: paste JSON, or drop a file.");
  }

  async function useSample({ text, picture: address }) {
    box.value = text;
    picture = null;
    ofSample = true;
    if (address) await showPicture(address);
    await start();
  }

  element("go").onclick = action(start);
  element("left").onchange = action(() => people.length ? start() : null);
  const taken = action(take);
  element("files").onchange = (event) => { taken([...event.target.files]); event.target.value = ""; };
  element("choose").onclick = () => element("files").click();
  box.oninput = () => {
    if (ofSample) { picture = null; ofSample = false; redraw(); }
  };
  picker.onchange = action(() => lift(pictures[Number(picker.value)]));
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (network && event.dataTransfer.files.length) taken([...event.dataTransfer.files]);
  });
  window.addEventListener("resize", redraw);
  const writers = { obj: objText, glb: glbFile, json: (list) => jsonFile(list, model) };
  for (const button of document.querySelectorAll("[data-file]")) {
    button.onclick = () => download(writers[button.dataset.file](people), `pose2mesh.${button.dataset.file}`);
  }

  // ---- beginning ----
  const controls = [...document.querySelectorAll("[data-wait]")];
  for (const sample of model.samples) {
    const button = document.createElement("button");
    button.textContent = sample.name;
    button.onclick = action(() => useSample(sample));
    button.disabled = true;
    element("samples").append(button);
    controls.push(button);
  }
  element("side").hidden = model.body !== "hand";
  element("about").textContent = `${model.joint_set} joints, ${model.mesh_model}`;
  box.placeholder = `JSON of ${model.keypoint_num} joints [x, y] or [x, y, score] in pixels: ${model.joints.slice(0, model.keypoint_num).join(", ")}`;
  show();
  try {
    samples = new Float32Array((await unpack("pose_samples")).buffer);
    faces = new Uint32Array((await unpack("faces")).buffer);
    turnedFaces = faces.map((_, i) => faces[i % 3 === 0 ? i : i % 3 === 1 ? i + 1 : i - 1]);
    network = await loadNetwork();
    await network.lift([toPairs(samples.subarray(0, 2 * model.keypoint_num))]);  // the first time takes ten times as long
  } catch (error) {
    console.error(error);
    say(`The network cannot run in this browser: ${error.message}`, true);
    document.body.dataset.state = "failed";
    return;
  }
  for (const control of controls) control.disabled = false;
  say("Ready. Choose a sample, paste JSON, or drop a JSON file or a picture anywhere.");
  document.body.dataset.state = "ready";
})();
