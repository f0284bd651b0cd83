// The run, as the page works with it. decode turns the document that Go has made
// (document.go) into columns of times, lists per server, and one list of arrows
// for all that goes from one lane to another. Lanes count from 0: servers first,
// clients behind them. Places of events, arrows and operations count from 0, too.

const ARRIVED = 0, LOST = 1, UNDERWAY = 2, SOURCELESS = 3, UNKNOWN = 4;
const MESSAGE = 0, REQUEST = 1, REPLY = 2, WATCH = 3;

function decode(doc) {
  const m = {
    doc, title: doc.title, end: Math.max(doc.end, 1),
    servers: doc.servers, clients: doc.clients, lanes: doc.servers.length + doc.clients.length,
    classes: doc.classes, kinds: doc.kinds, violation: doc.violation || null,
  };
  decodeEvents(m, doc.events);
  decodeArrows(m);
  m.zxidEpoch = doc.zxids.map((z) => Math.max(0, parseInt(z.slice(2, -8) || "0", 16)));
  m.milestones = [];
  m.commits = m.servers.map(() => []);
  for (let i = 0; i < m.n; i++) {
    const kind = kindOf(m, i);
    if (kind === "commit" && m.node[i] >= 0) m.commits[m.node[i]].push(m.t[i]);
    if (kind in MILESTONES) m.milestones.push(i);
  }
  return m;
}

// MILESTONES are kinds of events that always get a mark, with the weight of their
// label: the heavier is drawn first when there is not room for all.
const MILESTONES = {
  "established": 9, "epoch.propose": 8, "fle.decide": 6, "snap.install": 7, "log.trunc": 7,
  "sync.plan": 5, "halt": 9, "disk.err": 9, "newleader.ack": 3, "epoch.ack": 3, "epochs": 4, "snap.save": 4,
  "link.down": 2,
};

function decodeEvents(m, c) {
  const n = c.at.length;
  m.n = n;
  m.t = new Float64Array(n);
  m.seq = Float64Array.from(c.seq);
  m.life = Float64Array.from(c.life);
  m.kind = Int16Array.from(c.kind);
  m.node = Int16Array.from(c.node, (x) => x - 1);
  m.peer = Int16Array.from(c.peer, (x) => x - 1);
  m.zxid = Int32Array.from(c.zxid);
  m.message = Int32Array.from(c.message, (x) => x - 1);
  m.fact = Int32Array.from(c.fact, (x) => x - 1);
  m.byServer = m.servers.map(() => []);
  let at = 0;
  for (let i = 0; i < n; i++) {
    at += c.at[i];
    m.t[i] = at;
    if (m.node[i] >= 0) m.byServer[m.node[i]].push(i);
  }
}

function kindOf(m, i) { return m.kinds[m.kind[i]]; }
function factOf(m, i) { return m.fact[i] < 0 ? {} : m.doc.facts[m.fact[i]]; }
function textAt(m, place) { return place > 0 ? m.doc.texts[place - 1] : ""; }
function zxidAt(m, place) { return place > 0 ? m.doc.zxids[place - 1] : "0x0"; }

// decodeArrows makes the columns from, to, t0, t1, cls, fate, sort, ref of all
// arrows, by ascending t0, and until: the latest end of all up to here, by which
// one finds the first that can be seen.
function decodeArrows(m) {
  const list = [];
  const cls = (name) => m.classes.findIndex((c) => c.name === name);
  const msg = m.doc.messages;
  for (let i = 0; i < msg.from.length; i++) {
    const sent = msg.sent[i] ? m.t[msg.sent[i] - 1] : m.t[msg.got[i] - 1];
    const got = msg.got[i] ? m.t[msg.got[i] - 1] : sent;
    list.push([sent, got, msg.from[i] - 1, msg.to[i] - 1, msg.class[i], msg.fate[i], MESSAGE, i]);
  }
  const ops = m.doc.ops, first = m.servers.length, ping = cls("ping");
  for (let i = 0; i < ops.sent.length; i++) {
    const client = first + ops.client[i] - 1, server = ops.server[i] - 1;
    if (server < 0) continue;
    const isPing = textAt(m, ops.text[i]) === "ping";
    const known = ops.reach[i] > 0 || ops.back[i] > 0 || ops.zxid[i] > 0;
    list.push([ops.sent[i], Math.abs(ops.reach[i]), client, server, isPing ? ping : cls("request"),
      known ? ARRIVED : UNKNOWN, REQUEST, i]);
    if (ops.back[i] > 0) {
      list.push([Math.abs(ops.leave[i]), ops.back[i], server, client, isPing ? ping : cls("reply"), ARRIVED, REPLY, i]);
    }
  }
  const notices = m.doc.notices;
  for (let i = 0; i < notices.at.length; i++) {
    if (notices.server[i] === 0) continue;
    list.push([Math.abs(notices.leave[i]), notices.at[i], notices.server[i] - 1, first + notices.client[i] - 1,
      cls("watch"), ARRIVED, WATCH, i]);
  }
  list.sort((a, b) => a[0] - b[0]);
  fillArrows(m, list);
}

function fillArrows(m, list) {
  const n = list.length;
  const a = {
    n, t0: new Float64Array(n), t1: new Float64Array(n), until: new Float64Array(n),
    from: new Int16Array(n), to: new Int16Array(n), cls: new Int8Array(n), fate: new Int8Array(n),
    sort: new Int8Array(n), ref: new Int32Array(n),
  };
  m.arrowOfMessage = new Int32Array(m.doc.messages.from.length);
  m.arrowsOfOp = m.doc.ops.sent.map(() => []);
  m.arrowOfNotice = new Int32Array(m.doc.notices.at.length).fill(-1);
  let until = 0;
  list.forEach((row, i) => {
    [a.t0[i], a.t1[i], a.from[i], a.to[i], a.cls[i], a.fate[i], a.sort[i], a.ref[i]] = row;
    until = Math.max(until, row[1]);
    a.until[i] = until;
    const ref = row[7];
    if (row[6] === MESSAGE) m.arrowOfMessage[ref] = i;
    else if (row[6] === WATCH) m.arrowOfNotice[ref] = i;
    else m.arrowsOfOp[ref].push(i);
  });
  m.arrows = a;
}

// lowerBound is the first place of an ascending list whose value is not below x.
function lowerBound(list, x) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < x) low = middle + 1; else high = middle;
  }
  return low;
}

// arrowRange tells which arrows can touch the time from t0 to t1: [first, behind).
function arrowRange(m, t0, t1) {
  return [lowerBound(m.arrows.until, t0), lowerBound(m.arrows.t0, t1)];
}

// bandAt is the band of a server at a moment, or null.
function bandAt(m, server, t) {
  for (const b of m.servers[server].bands) if (b.from <= t && t < b.to) return b;
  return null;
}

// opEnd is when an operation is over: answered, or its connection lost.
function opEnd(m, op) {
  const ops = m.doc.ops;
  if (ops.back[op] > 0) return ops.back[op];
  for (const c of m.clients[ops.client[op] - 1].conns) {
    if (c.from <= ops.sent[op] && ops.sent[op] <= c.to && c.server === ops.server[op]) return c.to;
  }
  return m.end;
}
