"use strict";
// A scene of meshes that can be turned, moved and zoomed, on the canvas #scene.
//
// Meshes are in metres, x right, y down, z forward, and share one list of faces, of which each has a part. The page has
// #message for what cannot be shown, a box #wires and buttons with data-view, degrees or "top".

// Sums of the normals (3V) of the faces at each vertex, not of length 1.
function normalsOf(points, faces, [first, count], turned) {
  const way = turned ? -1 : 1;
  const normals = new Float32Array(points.length);
  for (let f = first; f < first + count; f += 3) {
    const a = 3 * faces[f], b = 3 * faces[f + 1], c = 3 * faces[f + 2];
    const ux = points[b] - points[a], uy = points[b + 1] - points[a + 1], uz = points[b + 2] - points[a + 2];
    const vx = points[c] - points[a], vy = points[c + 1] - points[a + 1], vz = points[c + 2] - points[a + 2];
    const nx = way * (uy * vz - uz * vy), ny = way * (uz * vx - ux * vz), nz = way * (ux * vy - uy * vx);
    for (const i of [a, b, c]) { normals[i] += nx; normals[i + 1] += ny; normals[i + 2] += nz; }
  }
  return normals;
}

// {setScene, show, turnTo, turnBy (degrees)}, or null where there is no WebGL, which is said in #message.
function createViewer() {
  const canvas = document.getElementById("scene");
  const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) {
    const box = document.getElementById("message");
    box.textContent = "This page needs WebGL, which this browser does not offer or has switched off.";
    box.style.display = "block";
    return null;
  }
  gl.getExtension("OES_element_index_uint");
  gl.getExtension("OES_element_index_uint");

  // ---- geometry: the scene's middle becomes the origin, y up, z towards the viewer ----
  let middle, radius, floor, faces, gridLines, start, camera;
  let people = [], pending = false;
  const edgeLists = new Map();  // by the first of the faces

  function edgesOf([first, count]) {
    if (edgeLists.has(first)) return edgeLists.get(first);
    const seen = new Set();
    const out = [];
    for (let f = first; f < first + count; f += 3) {
      for (let k = 0; k < 3; k++) {
        const a = faces[f + k], b = faces[f + (k + 1) % 3];
        const key = a < b ? a * 4294967296 + b : b * 4294967296 + a;
        if (!seen.has(key)) { seen.add(key); out.push(a, b); }
      }
    }
    edgeLists.set(first, new Uint32Array(out));
    return edgeLists.get(first);
  }

  function inScene(vertices) {
    const points = new Float32Array(vertices.length);
    for (let i = 0; i < vertices.length; i++) {
      const value = vertices[i] - middle[i % 3];
      points[i] = i % 3 === 0 ? value : -value;
    }
    return points;
  }

  // ---- drawing ----
  function program(vertexText, fragmentText) {
    const result = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertexText], [gl.FRAGMENT_SHADER, fragmentText]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(result, shader);
    }
    gl.linkProgram(result);
    return result;
  }

  const meshProgram = program(
    `attribute vec3 point; attribute vec3 normal; uniform mat4 view, lens; varying vec3 n, p;
     void main() { vec4 q = view * vec4(point, 1.0); p = q.xyz; n = mat3(view) * normal; gl_Position = lens * q; }`,
    `precision highp float; varying vec3 n, p; uniform vec3 colour; uniform mat4 view;
     void main() {
       vec3 m = normalize(n), eye = normalize(-p);
       if (dot(m, eye) < 0.0) m = -m;
       vec3 up = normalize(mat3(view) * vec3(0.0, 1.0, 0.0));
       vec3 key = normalize(vec3(-0.55, 0.65, 0.6)), fill = normalize(vec3(0.85, 0.05, 0.4));
       float light = 0.24 + 0.1 * dot(m, up) + 0.1 + 0.58 * max(dot(m, key), 0.0) + 0.18 * max(dot(m, fill), 0.0);
       float gloss = 0.14 * pow(max(dot(m, normalize(key + eye)), 0.0), 24.0);
       gl_FragColor = vec4(colour * light + gloss, 1.0);
     }`);
  const lineProgram = program(
    `attribute vec3 point; uniform mat4 view, lens;
     void main() { gl_Position = lens * view * vec4(point, 1.0); gl_Position.z -= 2e-4 * gl_Position.w; }`,
    `precision mediump float; uniform vec4 colour; void main() { gl_FragColor = colour; }`);

  const faceBuffer = gl.createBuffer(), edgeBuffer = gl.createBuffer(), gridBuffer = gl.createBuffer();
  const pointBuffer = gl.createBuffer(), normalBuffer = gl.createBuffer();

  function grid() {
    const step = radius > 6 ? 1 : 0.5;
    const reach = Math.min(40, Math.ceil(2 * radius / step)) * step;
    const out = [];
    for (let x = -reach; x <= reach + 1e-6; x += step) {
      out.push(x, floor, -reach, x, floor, reach, -reach, floor, x, reach, floor, x);
    }
    return new Float32Array(out);
  }

  function axes() {
    const ct = Math.cos(camera.turn), st = Math.sin(camera.turn), cl = Math.cos(camera.lift), sl = Math.sin(camera.lift);
    return { right: [ct, 0, -st], up: [-st * sl, cl, -ct * sl], back: [st * cl, sl, ct * cl] };
  }

  function dot(a, b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

  function matrices() {
    const { right, up, back } = axes();
    const eye = camera.target.map((t, i) => t + back[i] * camera.distance);
    const view = [];
    for (let i = 0; i < 3; i++) view.push(right[i], up[i], back[i], 0);
    view.push(-dot(right, eye), -dot(up, eye), -dot(back, eye), 1);
    const aspect = canvas.width / Math.max(1, canvas.height);
    const f = 1 / Math.tan(0.42) * Math.min(1, aspect);
    const near = camera.distance / 100, far = camera.distance + 40 * radius;
    const lens = [f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0];
    return { view: new Float32Array(view), lens: new Float32Array(lens) };
  }

  function attribute(prog, name, buffer) {
    const place = gl.getAttribLocation(prog, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
  }

  function draw() {
    pending = false;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clearColor(0.975, 0.98, 0.985, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    const { view, lens } = matrices();
    const wires = document.getElementById("wires").checked;
    for (const prog of [meshProgram, lineProgram]) {
      gl.useProgram(prog);
      gl.uniformMatrix4fv(gl.getUniformLocation(prog, "view"), false, view);
      gl.uniformMatrix4fv(gl.getUniformLocation(prog, "lens"), false, lens);
    }
    attribute(lineProgram, "point", gridBuffer);
    gl.uniform4f(gl.getUniformLocation(lineProgram, "colour"), 0.8, 0.83, 0.87, 1);
    gl.drawArrays(gl.LINES, 0, gridLines.length / 3);
    for (const person of people) {
      gl.bindBuffer(gl.ARRAY_BUFFER, pointBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, person.points, gl.DYNAMIC_DRAW);
      gl.bindBuffer(gl.ARRAY_BUFFER, normalBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, person.normals, gl.DYNAMIC_DRAW);
      gl.useProgram(meshProgram);
      attribute(meshProgram, "point", pointBuffer);
      attribute(meshProgram, "normal", normalBuffer);
      gl.uniform3fv(gl.getUniformLocation(meshProgram, "colour"), person.colour);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faceBuffer);
      gl.drawElements(gl.TRIANGLES, person.faces[1], gl.UNSIGNED_INT, 4 * person.faces[0]);
      if (wires) {
        gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, edgeBuffer);
        const edges = edgesOf(person.faces);
        gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, edges, gl.DYNAMIC_DRAW);
        gl.useProgram(lineProgram);
        attribute(lineProgram, "point", pointBuffer);
        gl.uniform4f(gl.getUniformLocation(lineProgram, "colour"), 0.15, 0.2, 0.3, 1);
        gl.drawElements(gl.LINES, edges.length, gl.UNSIGNED_INT, 0);
      }
    }
    document.body.dataset.drawn = String(people.length);  // tells tests that the scene is there
  }

  function redraw() {
    if (!pending) { pending = true; requestAnimationFrame(draw); }
  }

  // ---- content ----
  // The box that frames are in: low, high (3); indices of all faces.
  function setScene(low, high, indices) {
    middle = low.map((value, i) => (value + high[i]) / 2);
    radius = Math.max(0.1, 0.5 * Math.hypot(...low.map((value, i) => high[i] - value)));
    floor = middle[1] - high[1];
    faces = indices;
    edgeLists.clear();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faceBuffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);
    gridLines = grid();
    gl.bindBuffer(gl.ARRAY_BUFFER, gridBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, gridLines, gl.STATIC_DRAW);
    start = { turn: 0, lift: 0.08, distance: 2.6 * radius, target: [0, 0, 0] };
    camera = { ...start, target: [...start.target] };
  }

  // meshes: [{vertices (3V), faces: [first, count] of the indices, colour (3), turned}]
  function show(meshes) {
    people = meshes.map((mesh) => {
      const points = inScene(mesh.vertices);
      return { ...mesh, points, normals: normalsOf(points, faces, mesh.faces, mesh.turned) };
    });
    redraw();
  }

  // ---- mouse and touch ----
  const fingers = new Map();
  let spread = 0;

  function pan(dx, dy) {
    const { right, up } = axes();
    const scale = 0.9 * camera.distance / Math.max(1, canvas.clientHeight);
    camera.target = camera.target.map((t, i) => t - dx * scale * right[i] + dy * scale * up[i]);
  }

  function zoom(factor) {
    camera.distance = Math.min(40 * radius, Math.max(0.05 * radius, camera.distance * factor));
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    spread = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const dx = event.clientX - last[0], dy = event.clientY - last[1];
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      const now = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (spread) zoom(spread / now);
      spread = now;
      pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons & 6) {
      pan(dx, dy);
    } else {
      camera.turn -= dx * 0.008;
      camera.lift = Math.min(1.55, Math.max(-1.55, camera.lift + dy * 0.008));
    }
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => { fingers.delete(event.pointerId); spread = 0; });
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * 0.001))));
    redraw();
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => { camera = { ...start, target: [...start.target] }; redraw(); });
  document.getElementById("wires").onchange = redraw;
  for (const button of document.querySelectorAll("[data-view]")) {
    button.onclick = () => {
      const view = button.dataset.view;
      camera = { ...start, target: [...start.target] };
      if (view === "top") camera.lift = 1.55;
      else camera.turn = Number(view) * Math.PI / 180;
      redraw();
    };
  }
  window.addEventListener("resize", redraw);
  setScene([-1, -1, -1], [1, 1, 1], new Uint32Array());
  const turnTo = (degrees) => { camera.turn = degrees * Math.PI / 180; redraw(); };
  const turnBy = (degrees) => turnTo(camera.turn * 180 / Math.PI + degrees);
  return { setScene, show, turnTo, turnBy };
}
