// Mouse, fingers and keys.

function listen(app) {
  const c = app.canvas;
  c.addEventListener("wheel", (e) => onWheel(app, e), { passive: false });
  c.addEventListener("pointerdown", (e) => onDown(app, e));
  c.addEventListener("pointermove", (e) => onMove(app, e));
  c.addEventListener("pointerup", (e) => onUp(app, e));
  c.addEventListener("pointercancel", (e) => { app.fingers.delete(e.pointerId); app.dragging = false; });
  c.addEventListener("pointerleave", () => { app.pointer = null; app.hover = null; showHint(app); redraw(app); });
  c.addEventListener("dblclick", (e) => zoomAt(app, e.offsetX, e.shiftKey ? 3 : 1 / 3));
  listenStrip(app);
  addEventListener("keydown", (e) => onKey(app, e));
  addEventListener("resize", () => resized(app));
  addEventListener("hashchange", () => openLink(app));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => recolour(app));
}

function onWheel(app, e) {
  e.preventDefault();
  const unit = e.deltaMode === 1 ? 18 : e.deltaMode === 2 ? 400 : 1;
  const dx = e.deltaX * unit, dy = e.deltaY * unit;
  if (e.shiftKey || Math.abs(dx) > Math.abs(dy)) {
    panBy(app, (e.shiftKey && dx === 0 ? dy : dx) / (app.layout.width - app.layout.gutter) * (app.t1 - app.t0));
  } else if (e.altKey) {
    scrollBy(app, dy);
  } else {
    zoomAt(app, e.offsetX, Math.exp(clamp(dy, -240, 240) * 0.0022));
  }
}

function zoomAt(app, x, factor) {
  const around = timeOf(app, Math.max(x, app.layout.gutter));
  showWindow(app, ...zoomWindow(app.t0, app.t1, around, factor, app.m.end));
}

function panBy(app, dt) { showWindow(app, ...clampWindow(app.t0 + dt, app.t1 + dt, app.m.end)); }

function scrollBy(app, dy) {
  app.scroll = clamp(app.scroll + dy, 0, app.layout.scrollMax);
  redraw(app);
}

function onDown(app, e) {
  app.canvas.setPointerCapture(e.pointerId);
  app.fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
  app.moved = 0;
  app.dragging = false;
  app.canvas.focus({ preventScroll: true });
}

function onMove(app, e) {
  const finger = app.fingers.get(e.pointerId);
  app.pointer = { x: e.offsetX, y: e.offsetY };
  if (!finger) {
    hoverAt(app, e.offsetX, e.offsetY);
    return redraw(app);
  }
  const dx = e.offsetX - finger.x, dy = e.offsetY - finger.y;
  if (app.fingers.size === 2) pinch(app, e, finger);
  else {
    app.moved += Math.abs(dx) + Math.abs(dy);
    if (app.moved > 4) {
      app.dragging = true;
      panBy(app, -dx / (app.layout.width - app.layout.gutter) * (app.t1 - app.t0));
      scrollBy(app, -dy);
    }
  }
  finger.x = e.offsetX;
  finger.y = e.offsetY;
}

// pinch zooms by how far two fingers move apart.
function pinch(app, e, finger) {
  const [a, b] = [...app.fingers.values()], other = a === finger ? b : a;
  const before = Math.abs(finger.x - other.x), now = Math.abs(e.offsetX - other.x);
  app.moved = 100;
  if (before > 8 && now > 8) zoomAt(app, (e.offsetX + other.x) / 2, before / now);
}

function onUp(app, e) {
  app.fingers.delete(e.pointerId);
  if (!app.dragging && app.moved <= 4) {
    const hit = pick(app, e.offsetX, e.offsetY);
    if (hit && hit.violation) showViolation(app);
    else select(app, hit && hit.sel ? hit.sel : null);
  }
  app.dragging = false;
  redraw(app);
}

function hoverAt(app, x, y) {
  app.hover = pick(app, x, y);
  app.canvas.style.cursor = app.hover && (app.hover.sel || app.hover.violation) ? "pointer" : x < app.layout.gutter ? "default" : "grab";
  showHint(app);
}

// showHint puts a line about what is under the pointer beside it.
function showHint(app) {
  const box = app.hintBox;
  if (!app.hover || !app.pointer || app.dragging) { box.hidden = true; return; }
  box.textContent = hintOf(app, app.hover);
  box.hidden = false;
  const stage = app.canvas.getBoundingClientRect();
  const left = clamp(stage.left + app.pointer.x + 14, 4, Math.max(4, innerWidth - box.offsetWidth - 8));
  const below = stage.top + app.pointer.y + 18;
  box.style.left = left + "px";
  box.style.top = (below + box.offsetHeight > innerHeight ? below - box.offsetHeight - 30 : below) + "px";
}

function listenStrip(app) {
  const s = app.strip;
  let grip = null;
  const move = (x) => {
    const t = overviewTime(app, x, s.clientWidth), span = app.t1 - app.t0;
    showWindow(app, ...clampWindow(t - grip * span, t + (1 - grip) * span, app.m.end));
  };
  s.addEventListener("pointerdown", (e) => {
    s.setPointerCapture(e.pointerId);
    const t = overviewTime(app, e.offsetX, s.clientWidth);
    grip = t >= app.t0 && t <= app.t1 ? (t - app.t0) / (app.t1 - app.t0) : 0.5;
    move(e.offsetX);
  });
  s.addEventListener("pointermove", (e) => { if (grip !== null) move(e.offsetX); });
  s.addEventListener("pointerup", () => { grip = null; });
  s.addEventListener("wheel", (e) => {
    e.preventDefault();
    showWindow(app, ...zoomWindow(app.t0, app.t1, (app.t0 + app.t1) / 2, Math.exp(clamp(e.deltaY, -240, 240) * 0.0022), app.m.end));
  }, { passive: false });
}

const KEYS = {
  "ArrowLeft": (app, e) => panBy(app, -(app.t1 - app.t0) * (e.shiftKey ? 0.9 : 0.15)),
  "ArrowRight": (app, e) => panBy(app, (app.t1 - app.t0) * (e.shiftKey ? 0.9 : 0.15)),
  "ArrowUp": (app) => scrollBy(app, -60), "ArrowDown": (app) => scrollBy(app, 60),
  "+": (app) => zoomAt(app, (app.layout.gutter + app.layout.width) / 2, 1 / 1.6), "=": (app) => KEYS["+"](app),
  "-": (app) => zoomAt(app, (app.layout.gutter + app.layout.width) / 2, 1.6),
  "0": (app) => fitAll(app), "Home": (app) => panBy(app, -app.m.end * 2), "End": (app) => panBy(app, app.m.end * 2),
  "[": (app) => stepEvent(app, -1), "]": (app) => stepEvent(app, 1), "Enter": (app) => zoomToSelection(app),
  "f": (app) => stepFault(app, 1), "F": (app) => stepFault(app, -1), "e": (app) => stepReign(app, 1), "E": (app) => stepReign(app, -1),
  "v": (app) => showViolation(app), "s": (app) => showTab(app, "story"), "d": (app) => showTab(app, "details"),
  "p": (app) => togglePanel(app), "t": (app) => nextTheme(app), "?": (app) => toggleHelp(app),
  "/": (app, e) => { e.preventDefault(); app.find.focus(); app.find.select(); },
  "Escape": (app) => { if (app.help.open) app.help.close(); else select(app, null); },
};

function onKey(app, e) {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target === app.find) {
    if (e.key === "Escape") app.canvas.focus();
    return;
  }
  if (e.key === "Enter" && e.target.tagName === "BUTTON") return;
  const digit = e.key >= "1" && e.key <= "9" ? Number(e.key) : 0;
  if (digit && digit <= app.shown.length) return toggleClass(app, app.shown[digit - 1]);
  const action = KEYS[e.key];
  if (!action) return;
  if (e.key.startsWith("Arrow") || e.key === "Home" || e.key === "End") e.preventDefault();
  action(app, e);
}
