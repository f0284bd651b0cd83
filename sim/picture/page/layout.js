// Where things stand, from top to bottom: ruler, reigns, faults, servers, clients.
// All in CSS pixels; y of lanes includes no scrolling.

const RULER = 26, REIGN = 20, FAULT = 18, BAND = 18;
const SERVER_MIN = 54, SERVER_MAX = 150, OP_ROW = 12;

// layOut gives every lane its place in a canvas of a size.
function layOut(m, width, height) {
  const narrow = width < 700;
  const l = { width, height, gutter: narrow ? 58 : 112, narrow, lanes: [] };
  const two = m.doc.reigns.some((r) => r.row > 0);
  l.reign = RULER + 6;
  l.reignHeight = two ? 2 * (REIGN - 4) : REIGN;
  l.fault = l.reign + l.reignHeight + 4;
  l.faultRows = m.doc.faults.reduce((most, f) => Math.max(most, f.row + 1), 0);
  l.top = l.fault + l.faultRows * FAULT + 6;
  const clients = m.clients.map((c) => 28 + OP_ROW * c.rows);
  const room = height - l.top - clients.reduce((a, b) => a + b, 0) - 14;
  const each = clamp(room / Math.max(1, m.servers.length), SERVER_MIN, SERVER_MAX);
  let y = l.top;
  for (let i = 0; i < m.servers.length; i++) {
    const center = y + each * 0.52;
    l.lanes.push({ y, height: each, center, top: center - BAND / 2, bottom: center + BAND / 2 });
    y += each;
  }
  y += 8;
  m.clients.forEach((c, i) => {
    const center = y + clients[i] / 2;
    l.lanes.push({ y, height: clients[i], center, top: center - OP_ROW * c.rows / 2, bottom: center + OP_ROW * c.rows / 2 });
    y += clients[i];
  });
  l.content = y + 6;
  l.scrollMax = Math.max(0, l.content - height);
  return l;
}

// xOf and timeOf turn moments into pixels and back.
function xOf(app, t) {
  const l = app.layout;
  return l.gutter + (t - app.t0) / (app.t1 - app.t0) * (l.width - l.gutter);
}

function timeOf(app, x) {
  const l = app.layout;
  return app.t0 + (x - l.gutter) / (l.width - l.gutter) * (app.t1 - app.t0);
}

// laneAt is the lane at a height of the canvas, -1 if there is none.
function laneAt(app, y) {
  const at = y + app.scroll;
  if (y < app.layout.top) return -1;
  return app.layout.lanes.findIndex((l) => at >= l.y && at < l.y + l.height);
}

// arrowEnds are the two points of an arrow on the canvas. One that did not arrive
// is a stub of some pixels, as nobody knows how far it came.
function arrowEnds(app, i) {
  const a = app.m.arrows, from = app.layout.lanes[a.from[i]], to = app.layout.lanes[a.to[i]];
  const down = a.to[i] > a.from[i];
  const x0 = xOf(app, a.t0[i]), y0 = (down ? from.bottom : from.top) - app.scroll;
  const x1 = xOf(app, a.t1[i]), y1 = (down ? to.top : to.bottom) - app.scroll;
  const fate = a.fate[i];
  if (fate === ARRIVED) return [x0, y0, x1, y1];
  const step = clamp((y1 - y0) * 0.45, -34, 34);
  const reach = clamp(0.8 * MS / (app.t1 - app.t0) * app.layout.width, 3, 18);
  if (fate === SOURCELESS) return [x1 - reach, y1 - step, x1, y1];
  if (fate === UNKNOWN) return [x0, y0, x1, y1];
  return [x0, y0, x0 + reach, y0 + step];
}

// place puts a label where none is yet, and says whether there was room.
function place(taken, x, y, width, height) {
  for (const r of taken) {
    if (x < r[0] + r[2] && r[0] < x + width && y < r[1] + r[3] && r[1] < y + height) return false;
  }
  taken.push([x, y, width, height]);
  return true;
}
