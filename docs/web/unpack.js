// What the page carries: JSON and gzipped binaries as base64 in script elements that are no scripts.

function readData(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

// The binary of an element, which is emptied: the largest ones are 30 MB of text.
async function unpack(id) {
  const element = document.getElementById(id);
  const raw = atob(element.textContent);
  element.textContent = "";
  const packed = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) packed[i] = raw.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
