// A browser that shows nothing: it counts what is drawn, and complains about
// coordinates that are no numbers. It has what the page uses and no more, so that
// anything else is an error.

const drawn = { calls: 0, texts: [], bad: [] };

function makeContext() {
  const c = { font: "", fillStyle: "", strokeStyle: "", lineWidth: 1, globalAlpha: 1 };
  const count = (name) => (...args) => {
    drawn.calls++;
    for (const a of args) {
      if (typeof a === "number" && !Number.isFinite(a)) drawn.bad.push(name + "(" + args.join(", ") + ")");
    }
    if (name === "fillText") drawn.texts.push(String(args[0]));
  };
  for (const name of ["fillRect", "strokeRect", "beginPath", "moveTo", "lineTo", "closePath", "arc", "ellipse", "rect", "roundRect", "fill", "stroke",
    "clip", "save", "restore", "translate", "scale", "setTransform", "setLineDash", "drawImage", "fillText", "strokeText"]) c[name] = count(name);
  c.measureText = (text) => ({ width: 6 * text.length });
  c.createPattern = () => "pattern";
  c.createRadialGradient = () => ({ addColorStop: count("addColorStop") });
  return c;
}

function makeElement(tag) {
  const e = {
    tagName: tag.toUpperCase(), children: [], listeners: {}, dataset: {}, style: {}, attributes: {}, hidden: false, open: false, value: "",
    clientWidth: 1200, clientHeight: 700, offsetWidth: 100, offsetHeight: 20, offsetTop: 0, scrollTop: 0, className: "",
    classList: { toggle() {}, add() {}, remove() {} },
    append(...children) { for (const c of children) e.children.push(c); },
    replaceChildren(...children) { e.children = children; },
    setAttribute(name, value) { e.attributes[name] = value; },
    addEventListener(name, f) { e.listeners[name] = f; },
    getBoundingClientRect() { return { left: 0, top: 0, width: e.clientWidth, height: e.clientHeight }; },
    getContext() { return e.context = e.context || makeContext(); },
    matches() { return false; },
    focus() {}, select() {}, setPointerCapture() {},
    showModal() { e.open = true; }, close() { e.open = false; },
    words() { return e.textContent !== undefined ? String(e.textContent) : e.children.map((c) => typeof c === "string" ? c : c.words()).join(" "); },
  };
  return e;
}

const elements = new Map();

function byId(id) {
  if (!elements.has(id)) {
    const e = makeElement(id === "canvas" || id === "strip" ? "canvas" : "div");
    e.parentElement = makeElement("div");
    elements.set(id, e);
  }
  return elements.get(id);
}

var document = {
  documentElement: makeElement("html"), body: makeElement("body"), hidden: false,
  getElementById: byId,
  createElement: makeElement,
  querySelectorAll(selector) {
    if (selector.endsWith(" li")) {
      const box = byId(selector.slice(1, selector.indexOf(" ")));
      return box.children.flatMap((c) => c.tagName === "OL" ? c.children : []);
    }
    return byId("classes").children;
  },
};
var location = { hash: "" };
var history = { replaceState(state, title, hash) { location.hash = hash; } };
var devicePixelRatio = 1, innerWidth = 1600, innerHeight = 1000;
var timers = [], frames = [], clock = 0;
function setTimeout(f) { timers.push(f); return timers.length; }
function clearTimeout(n) { timers[n - 1] = null; }
function requestAnimationFrame(f) { frames.push(f); }
function addEventListener(name, f) { document.documentElement.listeners[name] = f; }
function matchMedia(query) { return { matches: query.includes("reduced-motion"), addEventListener() {} }; }
function getComputedStyle() { return { getPropertyValue: (name) => "colour of " + name }; }
var performance = { now: () => clock };

// rest lets the page do all that it has put off.
function rest() {
  for (let turn = 0; turn < 200 && frames.length + timers.length > 0; turn++) {
    clock += 16;
    const now = frames.concat(timers);
    frames = [];
    timers = [];
    for (const f of now) if (f) f(clock);
  }
}

// press and point are what a person does.
function press(key, more, times) {
  for (let i = 0; i < (times || 1); i++) {
    document.documentElement.listeners.keydown(Object.assign({ key, target: byId("canvas"), preventDefault() {} }, more));
  }
  rest();
}

function point(name, x, y, more, times) {
  for (let i = 0; i < (times || 1); i++) {
    byId("canvas").listeners[name](Object.assign({ offsetX: x, offsetY: y, pointerId: 1, deltaX: 0, deltaY: 0, deltaMode: 0, preventDefault() {} }, more));
  }
  rest();
}

function click(x, y) {
  point("pointermove", x, y);
  point("pointerdown", x, y);
  point("pointerup", x, y);
}
