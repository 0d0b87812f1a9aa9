"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const viewer = createViewer();
  if (!viewer) return;

  function bytes(text) {
    const raw = atob(text);
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out.buffer;
  }

  function decode(frame, person) {
    const levels = new Uint16Array(bytes(person.vertices));
    const vertices = new Float64Array(levels.length);
    for (let i = 0; i < levels.length; i++) {
      const axis = i % 3;
      vertices[i] = frame.low[axis] + levels[i] * (frame.high[axis] - frame.low[axis]) / 65535;
    }
    return vertices;
  }

  viewer.setScene(data.low, data.high, new Uint32Array(bytes(data.indices)));
  const image = document.querySelector("#picture img");
  const label = document.getElementById("label");
  const slider = document.getElementById("time");
  let current = 0;
  if (data.frames.some((frame) => frame.picture)) document.getElementById("picture").style.display = "block";

  function show(index) {
    current = index;
    const frame = data.frames[index];
    viewer.show(frame.people.map((person) => ({ ...person, vertices: decode(frame, person) })));
    if (frame.picture) image.src = frame.picture;
    label.textContent = frame.label;
    slider.value = index;
  }

  if (data.frames.length > 1) {
    document.getElementById("player").style.display = "flex";
    slider.max = data.frames.length - 1;
    const button = document.getElementById("play");
    let playing = true, origin = null;
    const pause = (still) => { playing = !still; origin = null; button.textContent = still ? "Play" : "Pause"; };
    button.onclick = () => pause(playing);
    slider.oninput = () => { pause(true); show(Number(slider.value)); };
    const tick = (now) => {
      if (playing) {
        if (origin === null) origin = now - 1000 * current / data.fps;
        const index = Math.floor((now - origin) * data.fps / 1000) % data.frames.length;
        if (index !== current && index >= 0) show(index);
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  const hash = /^#turn=(-?\d+)$/.exec(location.hash);  // page.html#turn=90 opens the side view
  show(0);
  if (hash) viewer.turnTo(Number(hash[1]));

  // page.html#spin turns by itself until somebody takes hold of it
  let spinning = location.hash === "#spin" && !matchMedia("(prefers-reduced-motion: reduce)").matches, before = null;
  const spin = (now) => {
    if (!spinning) return;
    if (before !== null) viewer.turnBy(0.03 * Math.min(100, now - before));
    before = now;
    requestAnimationFrame(spin);
  };
  requestAnimationFrame(spin);
  for (const name of ["pointerdown", "wheel", "click", "keydown"]) {
    window.addEventListener(name, () => { spinning = false; }, { capture: true, passive: true });
  }
})();
