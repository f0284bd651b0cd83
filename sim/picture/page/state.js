// What a server knows and has on its disk at a moment, told from its events up to
// there. Nothing is guessed: what the trace has not said is null.

// stateAfter folds the events of a server up to the place of an event, inclusive.
function stateAfter(m, server, upTo) {
  const s = blankState(server);
  for (const i of m.byServer[server]) {
    if (i > upTo) break;
    s.event = i;
    const step = STEPS[kindOf(m, i)];
    if (step) step(s, m, i, factOf(m, i));
  }
  return s;
}

// stateAt is the state at a moment: all that happens in its nanosecond included.
function stateAt(m, server, t) {
  return stateAfter(m, server, lowerBound(m.t, t + 0.5) - 1);
}

function blankState(server) {
  return {
    server, event: -1, life: 0, role: "unknown", serving: false, leader: -1, epoch: null,
    accepted: null, current: null, unsure: false, snap: null,
    written: null, synced: null, proposed: null, committed: null, applied: null,
    vote: null, round: null, acks: {}, trouble: "",
  };
}

// forget is what the end of a process does: only the disk stays.
function forget(s) {
  Object.assign(s, {
    serving: false, leader: -1, epoch: null, written: null, proposed: null,
    committed: null, applied: null, vote: null, round: null, acks: {},
  });
}

const STEPS = {
  "boot"(s, m, i, f) {
    forget(s);
    const end = f.log ? f.log.last : 0;
    Object.assign(s, {
      life: m.life[i], role: "LOOKING", accepted: f.accepted || 0, current: f.current || 0,
      unsure: !!f.unsure, snap: f.snap || 0, written: end, synced: end, trouble: "",
    });
  },
  "crash"(s) { forget(s); s.role = "down"; },
  "halt"(s, m, i, f) { forget(s); s.role = "halted"; s.trouble = f.text || ""; },
  "wipe"(s) { s.synced = 0; s.accepted = 0; s.current = 0; s.snap = 0; },
  "rollback"(s) { s.synced = null; s.accepted = null; s.current = null; s.snap = null; },
  "damage"(s) { s.synced = null; },
  "disk.err"(s, m, i, f) { s.trouble = f.text || "disk error"; },
  "role"(s, m, i, f) {
    const leader = f.state === "LEADING" ? s.server : f.state === "LOOKING" ? -1 : m.peer[i];
    if (s.role === f.state && s.leader === leader) return;
    Object.assign(s, { role: f.state, serving: false, leader, epoch: null, proposed: null, acks: {} });
  },
  "fle.send"(s, m, i, f) { if (f.vote) { s.vote = f.vote; s.round = f.round || 0; } },
  "fle.decide"(s, m, i, f) { if (f.vote) { s.vote = f.vote; s.round = f.round || 0; } },
  "epoch.propose"(s, m, i, f) { s.epoch = f.epoch; },
  "epoch.ack"(s, m, i, f) { s.epoch = f.epoch; },
  "epochs"(s, m, i, f) {
    s.accepted = f.accepted || 0;
    s.current = f.current || 0;
    s.unsure = !!f.unsure;
  },
  "log.append"(s, m, i, f) { if (f.log) s.written = f.log.last; },
  "log.durable"(s, m, i) { s.synced = m.zxid[i]; },
  "log.trunc"(s, m, i) { s.written = s.synced = m.zxid[i]; },
  "snap.install"(s, m, i) { s.written = s.synced = s.snap = m.zxid[i]; },
  "snap.save"(s, m, i) { s.snap = m.zxid[i]; },
  "established"(s, m, i, f) {
    Object.assign(s, { serving: true, epoch: f.epoch || 0, role: f.state });
    if (f.state === "LEADING") s.leader = s.server;
  },
  "propose"(s, m, i, f) { if (f.log) s.proposed = f.log.last; },
  "ack"(s, m, i) { if (m.peer[i] >= 0) s.acks[m.peer[i]] = m.zxid[i]; },
  "commit"(s, m, i) { s.committed = m.zxid[i]; },
  "deliver"(s, m, i) { s.applied = m.zxid[i]; },
};
