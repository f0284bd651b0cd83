// The column beside the picture: the story, what is selected, what was found.

// el makes an element; attributes that begin with on are listeners.
function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value !== undefined && value !== null) e.setAttribute(name, value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

const TABS = ["story", "details", "found"];

function showTab(app, name) {
  app.tab = name;
  for (const tab of TABS) {
    document.getElementById("tab-" + tab).setAttribute("aria-selected", String(tab === name));
    document.getElementById(tab).hidden = tab !== name;
  }
}

// fillStory writes the story once; its lines lead to their moments.
function fillStory(app) {
  const box = document.getElementById("story"), v = app.m.violation;
  if (v) {
    box.append(el("button", { class: "verdict", onclick: () => showViolation(app) },
      el("strong", {}, v.invariant + " is violated at " + exactText(v.at)), el("span", {}, v.rule), el("span", {}, v.text)));
  }
  const list = el("ol", { class: "story" });
  app.m.doc.story.forEach((chapter) => {
    const button = el("button", { onclick: () => goTo(app, chapter) },
      el("time", {}, momentText(chapter.at, MS)), el("i", { class: "dot " + chapter.kind }), el("span", {}, chapter.text));
    list.append(el("li", {}, button));
  });
  box.append(list);
}

function goTo(app, chapter) {
  if (chapter.kind === "violation") return showViolation(app);
  const span = Math.min(app.t1 - app.t0, Math.max(0.4 * S, app.m.end / 12));
  if (chapter.event) select(app, { type: "event", i: chapter.event - 1 }, true);
  glide(app, chapter.at - span / 2, chapter.at + span / 2);
}

// markStory shows which line of the story is now.
function markStory(app) {
  const t = selectedMoment(app) ?? (app.t0 + app.t1) / 2, items = document.querySelectorAll("#story li");
  let now = -1;
  app.m.doc.story.forEach((chapter, i) => { if (chapter.at <= t + 1) now = i; });
  items.forEach((item, i) => item.classList.toggle("now", i === now));
  const box = document.getElementById("story"), item = items[now];
  if (!item || box.matches(":hover")) return;
  const top = item.offsetTop - box.offsetTop;
  if (top < box.scrollTop || top + item.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
}

function rowsTable(rows) {
  const body = el("dl", {});
  for (const [name, value] of rows) body.append(el("dt", {}, name), el("dd", {}, String(value)));
  return body;
}

// fillDetails tells about the selection, and how the servers are at its moment.
function fillDetails(app) {
  const box = document.getElementById("details"), m = app.m, sel = app.sel;
  box.replaceChildren();
  if (!sel) {
    box.append(el("p", { class: "hint" }, "Click a message, a mark, a request, a band or a server\u2019s name. What you select is explained here, with the state of the servers at that moment."));
    return;
  }
  if (app.atViolation && m.violation) box.append(violationBox(app));
  const t = selectedMoment(app);
  const describe = { event: describeEvent, message: describeMessage, op: describeOp, notice: describeNotice }[sel.type];
  if (describe) {
    const d = describe(m, sel.i);
    box.append(el("h2", {}, d.title), rowsTable(d.rows));
  } else {
    box.append(el("h2", {}, capital(serverText(m, sel.i)) + " at " + exactText(t)));
  }
  box.append(...[actions(app), wayBox(app)].filter((e) => e));
  for (const [server, upTo] of involved(m, sel)) {
    box.append(stateBox(m, upTo === null ? stateAt(m, server, t) : stateAfter(m, server, upTo)));
  }
  box.append(ensembleBox(app, t));
}

// involved are the servers whose state belongs to a selection, each with the
// event up to which it counts, null for the moment.
function involved(m, sel) {
  switch (sel.type) {
    case "server": return [[sel.i, null]];
    case "event": return m.node[sel.i] >= 0 ? [[m.node[sel.i], sel.i]] : [];
    case "message": {
      const x = m.doc.messages, list = [];
      if (x.sent[sel.i]) list.push([x.from[sel.i] - 1, x.sent[sel.i] - 1]);
      if (x.got[sel.i]) list.push([x.to[sel.i] - 1, x.got[sel.i] - 1]);
      return list;
    }
    case "op": return [[m.doc.ops.server[sel.i] - 1, null]];
  }
  return m.doc.notices.server[sel.i] ? [[m.doc.notices.server[sel.i] - 1, null]] : [];
}

function actions(app) {
  const row = el("p", { class: "actions" });
  row.append(el("button", { onclick: () => stepEvent(app, -1), title: "the event before, on this lane ([)" }, "\u2190 before"),
    el("button", { onclick: () => stepEvent(app, 1), title: "the event behind, on this lane (])" }, "next \u2192"),
    el("button", { onclick: () => zoomToSelection(app), title: "zoom to it (Enter)" }, "zoom to it"));
  return row;
}

// wayBox says that a transaction's way is shown, and how long it took.
function wayBox(app) {
  const way = app.way;
  if (!way || way.arrows.size + way.events.size === 0) return null;
  return el("p", { class: "way" }, "Shown in full colour: the way of transaction " + zxidText(app.m, way.zxid) +
    ", from " + exactText(way.from) + " to " + exactText(way.to) + " (" + spanText(way.to - way.from) + ").");
}

function stateRows(m, s) {
  const z = (x) => x === null ? null : x === 0 ? "nothing" : zxidText(m, x);
  const rows = [["role", (ROLE_WORDS[s.role] ? capital(s.role) : s.role) + (s.serving ? ", serving" : "") + (s.leader >= 0 && s.leader !== s.server ? " \u2192 server " + m.servers[s.leader].name : "")]];
  const add = (name, value) => { if (value !== null && value !== "") rows.push([name, value]); };
  add("in epoch", s.epoch);
  if (s.accepted !== null) add("epochs on disk", "accepted " + s.accepted + ", current " + s.current + (s.unsure ? ", unsure" : ""));
  add("proposed", z(s.proposed));
  add("written", z(s.written));
  add("synced", z(s.synced));
  add("committed", z(s.committed));
  add("applied", z(s.applied));
  if (s.snap) add("snapshot", z(s.snap));
  if (s.vote) add("last vote", "server " + (s.vote.leader ? m.servers[s.vote.leader - 1].name : "?") + ", round " + s.round);
  const acks = Object.entries(s.acks).map(([k, v]) => m.servers[k].name + ": " + shortZxid(m, v));
  if (acks.length) add("acks", acks.join(", "));
  add("trouble", s.trouble);
  add("life", s.life || null);
  return rows;
}

function stateBox(m, s) {
  return el("section", { class: "state" }, el("h3", {}, el("i", { class: "dot " + s.role }), capital(serverText(m, s.server))), rowsTable(stateRows(m, s)));
}

// ensembleBox is a line for every server.
function ensembleBox(app, t) {
  const m = app.m, table = el("table", {});
  table.append(el("tr", {}, ...["", "epoch", "on disk", "committed"].map((h) => el("th", {}, h))));
  for (let i = 0; i < m.servers.length; i++) {
    const s = stateAt(m, i, t), z = (x) => x === null ? "\u2013" : shortZxid(m, x);
    table.append(el("tr", { tabindex: 0, onclick: () => select(app, { type: "server", i, t }) },
      el("td", {}, el("i", { class: "dot " + s.role + (s.serving ? "" : " open"), title: s.role }), m.servers[i].name + " " + s.role.toLowerCase()),
      el("td", {}, s.current === null ? "\u2013" : String(s.current)), el("td", {}, z(s.synced)), el("td", {}, z(s.committed))));
  }
  return el("section", { class: "ensemble" }, el("h3", {}, "Everybody at " + exactText(t)), table,
    el("p", { class: "hint" }, "5:3 is zxid 0x500000003: epoch 5, transaction 3."));
}

function violationBox(app) {
  const m = app.m, v = m.violation, list = el("ol", { class: "story" });
  for (const e of v.events) {
    const i = e - 1, message = m.message[i];
    const what = message >= 0 ? describeMessage(m, message).title + " \u2190 " + serverText(m, m.peer[i]) : eventTitle(m, i);
    list.append(el("li", { class: e === v.event ? "now" : null }, el("button", { onclick: () => {
      select(app, message >= 0 ? { type: "message", i: message } : { type: "event", i });
      reveal(app, m.t[i]);
    } }, el("time", {}, momentText(m.t[i], US * 100)), el("i", { class: "dot cause" }),
    el("span", {}, (m.node[i] >= 0 ? m.servers[m.node[i]].name + ": " : "") + what))));
  }
  return el("section", { class: "broken" }, el("h2", {}, v.invariant + " is violated"), el("p", {}, v.rule), el("p", {}, v.text),
    v.events.length > 1 ? el("details", {}, el("summary", {}, "What led to it, " + v.events.length + " events"), list) : null);
}

// fillFound lists what was sought.
function fillFound(app, text) {
  const box = document.getElementById("found"), most = 300;
  app.found = search(app.m, text, most);
  app.foundAt = -1;
  box.replaceChildren(el("p", { class: "hint" }, app.found.length === 0 ? "Nothing is called \u201c" + text + "\u201d. Try a zxid (0x100000003 or 1:3), a kind of event, a path, a session."
    : (app.found.length === most ? "The first " : "") + app.found.length + " found. Enter goes to the next."));
  const list = el("ol", { class: "story" });
  app.found.forEach((f, n) => {
    list.append(el("li", {}, el("button", { onclick: () => visitFound(app, n) },
      el("time", {}, momentText(f.t, MS)), el("i", { class: "dot found" }), el("span", {}, foundTitle(app.m, f.sel)))));
  });
  box.append(list);
}

function foundTitle(m, sel) {
  if (sel.type === "event") return describeEvent(m, sel.i).title;
  if (sel.type === "op") return capital(clientText(m, m.doc.ops.client[sel.i] - 1)) + ": " + textAt(m, m.doc.ops.text[sel.i]);
  const x = m.doc.messages;
  return textAt(m, x.text[sel.i]) + ", " + m.servers[x.from[sel.i] - 1].name + " \u2192 " + m.servers[x.to[sel.i] - 1].name;
}

function visitFound(app, n) {
  if (app.found.length === 0) return;
  app.foundAt = (n + app.found.length) % app.found.length;
  const f = app.found[app.foundAt];
  select(app, f.sel, true);
  reveal(app, f.t);
  document.querySelectorAll("#found li").forEach((li, i) => li.classList.toggle("now", i === app.foundAt));
}
