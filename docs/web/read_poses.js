// JSON of poses, told by its content, to pictures with people: [{name, people: [[[x, y, score], ...]]}].
//
// Errors are of the user's text and say in words what is wrong with it.

const LARGEST_COORDINATE = 1e6;  // pixels; what is further away is as good as missing

const LAYOUTS = 'Accepted are a list of joints [x, y] or [x, y, score] in pixels, a list of several people\'s such lists, ' +
  'records with "keypoints" as COCO, AlphaPose and others write them, OpenPose\'s {"people": …}, and ' +
  '{picture: people}.';

class PoseError extends Error {}

// Text of a user's file, short enough for one line.
function shown(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? String(value);
  return text.length > 60 ? text.slice(0, 59) + "…" : text;
}

function isNumber(value) {
  return typeof value === "number" || value === null;
}

function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readPoses(text, sources) {
  if (!text.trim()) throw new PoseError("There is nothing to read. " + LAYOUTS);
  let content;
  try {
    // other programs write NaN, which JSON does not have
    content = JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (part) => part[0] === '"' ? part : "null"));
  } catch (error) {
    throw new PoseError(`This is not JSON: ${shown(error.message)}`);
  }
  const pictures = picturesOf(content, sources).filter((picture) => picture.people.length);
  if (!pictures.length) throw new PoseError("There is nobody in this JSON. " + LAYOUTS);
  return pictures;
}

function picturesOf(content, sources) {
  if (Array.isArray(content)) {
    const records = content.filter(isRecord);
    if (records.length && records.length < content.length) throw new PoseError("Records and lists are mixed. " + LAYOUTS);
    if (records.some((record) => "people" in record)) return records.flatMap((record, i) => openPose(record, String(i), sources));
    return records.length ? grouped(records, new Map(), sources) : [{ name: "", people: peopleOf(content, sources) }];
  }
  if (!isRecord(content)) throw new PoseError(`No poses are in ${shown(content)}. ` + LAYOUTS);
  if ("people" in content) return openPose(content, "", sources);
  if (Array.isArray(content.annotations)) {
    const images = Array.isArray(content.images) ? content.images.filter(isRecord) : [];
    return grouped(content.annotations, new Map(images.map((image) => [image.id, image.file_name])), sources);
  }
  if ("keypoints" in content) return grouped([content], new Map(), sources);
  const lists = Object.entries(content);
  if (!lists.length || !lists.every(([, people]) => Array.isArray(people))) {
    throw new PoseError(`No poses are under the keys ${shown(lists.map(([key]) => key).join(", "))}. ` + LAYOUTS);
  }
  return lists.flatMap(([name, people]) =>
    people.some(isRecord) ? [{ name, people: grouped(people, new Map(), sources).flatMap((picture) => picture.people) }]
      : [{ name, people: peopleOf(people, sources) }]);
}

function openPose(content, name, sources) {
  if (!isRecord(content) || !Array.isArray(content.people)) throw new PoseError('"people" has to be a list. ' + LAYOUTS);
  const people = content.people.map((person) => {
    if (!isRecord(person) || !Array.isArray(person.pose_keypoints_2d)) throw new PoseError('A person has no list "pose_keypoints_2d". ' + LAYOUTS);
    return person.pose_keypoints_2d;
  });
  return [{ name, people: people.filter((list) => list.length).map((list) => rowsOf(list, sources)) }];
}

// Records by their picture; names: of the pictures' numbers.
function grouped(records, names, sources) {
  const pictures = new Map();
  for (const record of records) {
    if (!isRecord(record)) throw new PoseError(`A record is ${shown(record)}. ` + LAYOUTS);
    if (!Array.isArray(record.keypoints)) {
      throw new PoseError(`A record has no list "keypoints", only ${shown(Object.keys(record).join(", "))}. ` + LAYOUTS);
    }
    const picture = record.image_id ?? "";
    if (!pictures.has(picture)) pictures.set(picture, { name: shown(names.get(picture) ?? picture), people: [] });
    const scores = record.keypoint_scores ?? record.scores;
    pictures.get(picture).people.push(rowsOf(record.keypoints, sources, Array.isArray(scores) ? scores : null));
  }
  return [...pictures.values()];
}

// One person (J, 2 or 3), several, or flat lists of either.
function peopleOf(list, sources) {
  if (!list.length) return [];
  const onePerson = list.every(isNumber) || list.every((row) => Array.isArray(row) && row.length < 4 && row.every(isNumber));
  return onePerson ? [rowsOf(list, sources)] : list.map((person) => rowsOf(person, sources));
}

// A person's joints as [x, y, score]; what is missing has score 0.
function rowsOf(list, sources, scores = null) {
  const known = Object.keys(sources).map(Number);
  if (!Array.isArray(list)) throw new PoseError(`A person is ${shown(list)}, not a list of joints. ` + LAYOUTS);
  let rows = list;
  if (list.length && list.every(isNumber)) {
    const columns = [3, 2].find((count) => known.includes(list.length / count));
    if (!columns) throw new PoseError(`A person has ${list.length} numbers; ${wanted(sources)}`);
    rows = Array.from({ length: list.length / columns }, (_, joint) => list.slice(joint * columns, (joint + 1) * columns));
  }
  if (!known.includes(rows.length)) throw new PoseError(`A person has ${rows.length} joints; ${wanted(sources)}`);
  if (scores && (scores.length !== rows.length || !scores.every(isNumber))) {
    throw new PoseError(`A person has ${rows.length} joints and ${scores.length} scores, or scores that are no numbers.`);
  }
  return rows.map((row, joint) => {
    if (!Array.isArray(row) || row.length < 2 || row.length > 3 || !row.every(isNumber)) {
      throw new PoseError(`Joint ${joint} is ${shown(row)}, not [x, y] or [x, y, score] of numbers. ` + LAYOUTS);
    }
    const [x, y] = row;
    const score = scores ? scores[joint] : row.length === 3 ? row[2] : 1;
    const near = [x, y].every((value) => value !== null && Math.abs(value) <= LARGEST_COORDINATE);
    return near && !(x === 0 && y === 0) && score !== null ? [x, y, score] : [0, 0, 0];
  });
}

function wanted(sources) {
  const list = (own) => Object.entries(sources).filter(([, { ways }]) => !ways === own).map(([count, { name }]) => `${count} (${name})`);
  const others = list(false);
  return `this page reads ${list(true).join(" or ")}${others.length ? `, and of other tools ${others.join(", ")}` : ""}.`;
}
