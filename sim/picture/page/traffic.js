// Messages: arrows while there is room for them, and otherwise a skyline on each
// server's band of how many it sends.

// Up to so many arrows for each pixel of width are drawn as arrows.
const ARROWS_PER_PIXEL = 0.5;
const LABELS_MAX = 160;

// prepareTraffic finds what can be seen, and decides how to show it.
function prepareTraffic(app) {
  const a = app.m.arrows, [low, high] = arrowRange(app.m, app.t0, app.t1);
  const seen = app.visible;
  seen.length = 0;
  const most = ARROWS_PER_PIXEL * (app.layout.width - app.layout.gutter);
  let count = 0;
  for (let i = low; i < high; i++) {
    if (a.t1[i] < app.t0 && a.fate[i] === ARRIVED) continue;
    if (app.off.has(a.cls[i])) continue;
    count++;
    if (count <= most) seen.push(i);
  }
  app.range = [low, high];
  app.dense = count > most;
  app.count = count;
}

function drawTraffic(app) {
  if (app.dense) {
    drawSkyline(app);
  } else {
    const focus = app.way && app.way.arrows.size > 0;
    drawArrows(app, app.visible, focus ? 0.16 : clamp(1.1 - app.count / 1200, 0.5, 0.95));
  }
}

// drawFocus paints over the bands what is to be seen: the causes of the violation,
// the way of a transaction, the selection, and what is under the pointer.
function drawFocus(app) {
  if (app.causes) drawChosen(app, app.causes.arrows, app.colours.red, app.way && app.way.arrows.size > 0 ? 0.35 : 0.9, 1.6);
  if (app.way) drawChosen(app, app.way.arrows, null, 1, 2);
  const one = app.sel && app.sel.type === "message" ? [app.m.arrowOfMessage[app.sel.i]]
    : app.sel && app.sel.type === "op" ? app.m.arrowsOfOp[app.sel.i]
      : app.sel && app.sel.type === "notice" ? [app.m.arrowOfNotice[app.sel.i]] : [];
  drawChosen(app, one.filter((i) => i >= 0), app.colours.select, 1, 2.6);
  if (app.hover && app.hover.arrow !== undefined) drawChosen(app, [app.hover.arrow], null, 1, 2.4);
  if (!app.dense) labelArrows(app);
}

// drawArrows paints many, a path for each class.
function drawArrows(app, list, alpha) {
  const c = app.ctx, a = app.m.arrows, byClass = new Map();
  for (const i of list) {
    const k = a.cls[i];
    if (!byClass.has(k)) byClass.set(k, []);
    byClass.get(k).push(i);
  }
  const heads = list.length < 900;
  c.lineWidth = list.length < 250 ? 1.35 : 1;
  c.globalAlpha = alpha;
  for (const [k, some] of [...byClass].sort((x, y) => x[0] - y[0])) {
    c.strokeStyle = c.fillStyle = classColour(app, k);
    c.beginPath();
    for (const i of some) {
      const [x0, y0, x1, y1] = arrowEnds(app, i);
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
    }
    c.stroke();
    drawEnds(app, some, heads);
  }
  c.globalAlpha = 1;
}

// drawEnds paints the heads of those that arrive and the crosses of those lost.
function drawEnds(app, some, heads) {
  const c = app.ctx, a = app.m.arrows;
  if (heads) {
    c.beginPath();
    for (const i of some) {
      if (a.fate[i] === LOST || a.fate[i] === UNDERWAY) continue;
      headPath(c, ...arrowEnds(app, i), some.length < 250 ? 7 : 5);
    }
    c.fill();
  }
  const width = c.lineWidth;
  c.lineWidth = 1.8;
  c.beginPath();
  for (const i of some) {
    if (a.fate[i] !== LOST) continue;
    const ends = arrowEnds(app, i);
    crossPath(c, ends[2], ends[3], heads ? 3.6 : 2.2);
  }
  c.stroke();
  c.lineWidth = width;
}

// drawChosen paints few, over the others.
function drawChosen(app, list, colour, alpha, width) {
  const c = app.ctx, a = app.m.arrows;
  c.globalAlpha = alpha;
  for (const i of list) {
    if (a.t0[i] > app.t1 || a.t1[i] < app.t0 && a.fate[i] === ARRIVED) continue;
    const ends = arrowEnds(app, i);
    c.strokeStyle = c.fillStyle = colour || classColour(app, a.cls[i]);
    c.lineWidth = width;
    line(c, ...ends);
    drawEnds(app, [i], true);
  }
  c.globalAlpha = 1;
}

function arrowLabel(app, i) {
  const a = app.m.arrows, m = app.m, ref = a.ref[i];
  switch (a.sort[i]) {
    case REQUEST: return textAt(m, m.doc.ops.text[ref]).split(" = ")[0];
    case REPLY: return textAt(m, m.doc.ops.reply[ref]).split(",")[0] + (m.doc.ops.zxid[ref] ? " " + shortZxid(m, m.doc.ops.zxid[ref]) : "");
    case WATCH: return textAt(m, m.doc.notices.text[ref]);
  }
  const x = m.doc.messages, text = textAt(m, x.text[ref]);
  const name = m.classes[x.class[ref]].name;
  if (name === "vote") {
    const who = /^vote for (\S+)/.exec(text);
    return who ? "vote " + who[1] : "vote";
  }
  const word = text.split(" ")[0];
  if (name === "ping" || !x.high[ref]) return word;
  const range = x.low[ref] !== x.high[ref] ? shortZxid(m, x.low[ref]) + "\u2013" : "";
  return word + " " + range + shortZxid(m, x.high[ref]);
}

// labelArrows writes beside the beginnings of arrows what they are, as far as
// there is room: not on the bands, and once for those that a server sends to many.
function labelArrows(app) {
  const c = app.ctx, a = app.m.arrows, l = app.layout;
  if (app.count > LABELS_MAX) return;
  setFont(c, 10.5);
  c.textBaseline = "middle";
  const taken = app.taken, said = new Map();
  for (const lane of l.lanes) taken.push([0, lane.top - app.scroll, l.width, lane.bottom - lane.top]);
  const order = app.way && app.way.arrows.size ? app.visible.filter((i) => app.way.arrows.has(i)) : app.visible;
  for (const i of order) {
    const [x0, y0, x1, y1] = arrowEnds(app, i), text = arrowLabel(app, i), width = textWidth(c, text);
    const lost = a.fate[i] === LOST, key = a.from[i] + text + lost;
    if (a.sort[i] === REQUEST && app.opEnd[a.ref[i]] - a.t0[i] > 46 / l.width * (app.t1 - app.t0)) continue;
    if (x0 - (said.get(key) ?? -Infinity) < 60) continue;
    for (const share of lost ? [1] : [0.3, 0.5, 0.7, 0.16]) {
      const x = x0 + (x1 - x0) * share + (lost ? 8 : 5), y = y0 + (y1 - y0) * share;
      if (x < l.gutter || x + width > l.width || y < l.top || y > l.height) continue;
      if (!place(taken, x - 3, y - 8, width + 8, 16)) continue;
      haloText(app, text, x, y, classColour(app, a.cls[i]));
      said.set(key, x0);
      break;
    }
  }
}

const BIN = 3;

// drawSkyline paints how many messages of which class a server sends, in steps of
// BIN pixels.
function drawSkyline(app) {
  const a = app.m.arrows, l = app.layout, c = app.ctx, m = app.m, servers = m.servers.length;
  const columns = Math.ceil((l.width - l.gutter) / BIN), kinds = m.classes.length;
  const counts = new Uint16Array(servers * columns * kinds), sums = new Uint16Array(servers * columns);
  const scale = columns / (app.t1 - app.t0);
  for (let i = app.range[0]; i < app.range[1]; i++) {
    const lane = a.from[i];
    if (lane >= servers || app.off.has(a.cls[i])) continue;
    const column = Math.floor((a.t0[i] - app.t0) * scale);
    if (column < 0 || column >= columns) continue;
    counts[(lane * columns + column) * kinds + a.cls[i]]++;
    sums[lane * columns + column]++;
  }
  let most = 1;
  for (const s of sums) if (s > most) most = s;
  const room = l.lanes[0].height - BAND - 22;
  // Roots: a burst must not flatten everything else.
  const scaleOf = (sum) => Math.sqrt(sum / most) * room / sum;
  const below = new Float64Array(servers * columns);
  for (let k = 0; k < kinds; k++) {
    c.fillStyle = classColour(app, k);
    c.beginPath();
    for (let at = 0; at < sums.length; at++) {
      const n = counts[at * kinds + k];
      if (n === 0) continue;
      const lane = Math.floor(at / columns), column = at - lane * columns, tall = n * scaleOf(sums[at]);
      below[at] += tall;
      c.rect(l.gutter + column * BIN, l.lanes[lane].top - 2 - app.scroll - below[at], BIN - 0.6, tall);
    }
    c.fill();
  }
}
