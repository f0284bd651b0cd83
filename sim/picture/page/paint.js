// Colours, letters and the simple shapes.

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif";
const COLOURS = [
  "bg", "panel", "ink", "soft", "faint", "line", "stripe", "red", "redsoft", "select",
  "LOOKING", "FOLLOWING", "LEADING", "OBSERVING", "down", "on-LOOKING", "on-FOLLOWING", "on-LEADING", "on-OBSERVING", "on-down",
  "vote", "discovery", "sync", "proposal", "ack", "commit", "forward", "ping", "other", "request", "reply", "watch",
  "write", "read", "failed", "fault",
];

// readColours takes the colours of the scheme out of the style sheet.
function readColours(app) {
  const style = getComputedStyle(document.documentElement);
  app.colours = {};
  for (const name of COLOURS) app.colours[name] = style.getPropertyValue("--" + name).trim();
  app.hatches = {};
}

function classColour(app, cls) { return app.colours[app.m.classes[cls].name] || app.colours.other; }

function bandColours(app, role) {
  const key = role === "halted" ? "down" : role;
  return [app.colours[key] || app.colours.line, app.colours["on-" + key] || app.colours.soft];
}

// hatch is a pattern of slanted lines in a colour, for what is not quite there.
function hatch(app, colour) {
  if (!app.hatches[colour]) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const c = tile.getContext("2d");
    c.strokeStyle = colour;
    c.lineWidth = 2;
    for (const x of [-8, 0, 8]) {
      c.beginPath();
      c.moveTo(x - 1, 9);
      c.lineTo(x + 9, -1);
      c.stroke();
    }
    app.hatches[colour] = app.ctx.createPattern(tile, "repeat");
  }
  return app.hatches[colour];
}

function roundRect(c, x, y, w, h, r) {
  r = Math.max(0, Math.min(r, w / 2, h / 2));
  c.beginPath();
  c.roundRect(x, y, w, h, r);
}

function line(c, x0, y0, x1, y1) {
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1, y1);
  c.stroke();
}

// headPath adds the head of an arrow to the current path.
function headPath(c, x0, y0, x1, y1, size) {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  for (const side of [-0.42, 0.42]) {
    const x = x1 - size * Math.cos(angle + side), y = y1 - size * Math.sin(angle + side);
    if (side < 0) { c.moveTo(x1, y1); c.lineTo(x, y); } else { c.lineTo(x, y); c.closePath(); }
  }
}

function crossPath(c, x, y, size) {
  c.moveTo(x - size, y - size);
  c.lineTo(x + size, y + size);
  c.moveTo(x + size, y - size);
  c.lineTo(x - size, y + size);
}

function setFont(c, size, weight) { c.font = (weight || 400) + " " + size + "px " + FONT; }

const widths = new Map();

// textWidth measures, and remembers, because measuring is slow.
function textWidth(c, text) {
  const key = c.font + text;
  let w = widths.get(key);
  if (w === undefined) {
    if (widths.size > 20000) widths.clear();
    w = c.measureText(text).width;
    widths.set(key, w);
  }
  return w;
}

// haloText writes over lines: the background shines around the letters.
function haloText(app, text, x, y, colour) {
  const c = app.ctx;
  c.lineJoin = "round";
  c.lineWidth = 3.5;
  c.strokeStyle = app.colours.bg;
  c.strokeText(text, x, y);
  c.fillStyle = colour;
  c.fillText(text, x, y);
}

// fitting is the longest of some texts that is not wider than that, or "".
function fitting(c, texts, width) {
  for (const text of texts) if (text && textWidth(c, text) <= width) return text;
  return "";
}
