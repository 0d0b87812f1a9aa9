// The picture and the 2D joints on the canvas #picture.

function cssColour(colour) {
  return `rgb(${colour.map((value) => Math.round(255 * value)).join(" ")})`;
}

// frame: {x, y, width, height} of the picture's part, pixels; people: [{points, filled, colour, number}].
function drawPoses(canvas, picture, frame, people, { bones, derived }) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const scale = Math.min(canvas.clientWidth / frame.width, canvas.clientHeight / frame.height) * ratio;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const shift = [canvas.width / 2 - scale * (frame.x + frame.width / 2), canvas.height / 2 - scale * (frame.y + frame.height / 2)];
  const place = ([x, y]) => [scale * x + shift[0], scale * y + shift[1]];
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, ...place([frame.x, frame.y]), scale * frame.width, scale * frame.height);
  const size = 2.2 * ratio;
  for (const person of people) {
    const points = person.points.map(place);
    const ends = [...points, ...derived.map(([a, b]) => [0, 1].map((axis) => (points[a][axis] + points[b][axis]) / 2))];
    for (const [width, style] of [[2.4 * size, "rgb(15 23 42 / 55%)"], [1.2 * size, cssColour(person.colour)]]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.lineCap = "round";
      context.beginPath();
      for (const [a, b] of bones) {
        context.moveTo(...ends[a]);
        context.lineTo(...ends[b]);
      }
      context.stroke();
    }
    points.forEach((point, joint) => {
      context.beginPath();
      context.arc(...point, 1.4 * size, 0, 2 * Math.PI);
      context.fillStyle = person.filled.includes(joint) ? "#fff" : cssColour(person.colour);
      context.fill();
      context.lineWidth = 0.5 * size;
      context.strokeStyle = "#0f172a";
      context.stroke();
    });
  }
}
