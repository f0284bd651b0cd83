"""Everything an application does with kazoo, against the servers in argv[1].

Prints one line per step and ends with "ok"; an assertion ends it with 1.
"""
import sys
import threading

import kazoo
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError, NodeExistsError, RolledBackError


def step(name):
    print(name, flush=True)


def wait(event, what):
    assert event.wait(10), "no event: " + what


def main(hosts):
    print("kazoo", kazoo.__version__)
    zk = KazooClient(hosts=hosts, timeout=5.0)
    zk.start(timeout=15)
    other = KazooClient(hosts=hosts, timeout=5.0)
    other.start(timeout=15)

    step("create")
    assert zk.create("/kazoo", b"one") == "/kazoo"
    try:
        zk.create("/kazoo", b"again")
        assert False, "created twice"
    except NodeExistsError:
        pass
    path, stat = zk.create("/kazoo/with-stat", b"", include_data=True)
    assert path == "/kazoo/with-stat" and stat.version == 0, (path, stat)
    zk.ensure_path("/kazoo/a/b/c")

    step("read")
    data, stat = zk.get("/kazoo")
    assert data == b"one" and stat.version == 0 and stat.numChildren == 2, (data, stat)
    assert zk.exists("/kazoo/none") is None

    step("set")
    stat = zk.set("/kazoo", b"two", version=0)
    assert stat.version == 1 and stat.mzxid > stat.czxid, stat
    try:
        zk.set("/kazoo", b"three", version=0)
        assert False, "a stale version was taken"
    except BadVersionError:
        pass
    other.sync("/kazoo")
    assert other.get("/kazoo")[0] == b"two"

    step("list")
    assert sorted(zk.get_children("/kazoo")) == ["a", "with-stat"]
    names, stat = zk.get_children("/kazoo", include_data=True)
    assert stat.numChildren == 2 and sorted(names) == ["a", "with-stat"]

    step("watch")
    events, changed, made, listed = [], threading.Event(), threading.Event(), threading.Event()

    def on(event, signal):
        events.append((event.type, event.path))
        signal.set()

    zk.get("/kazoo", watch=lambda e: on(e, changed))
    assert zk.exists("/kazoo/later", watch=lambda e: on(e, made)) is None
    zk.get_children("/kazoo", watch=lambda e: on(e, listed))
    other.set("/kazoo", b"watched")
    wait(changed, "data changed")
    other.create("/kazoo/later")
    wait(made, "created")
    wait(listed, "children changed")
    assert sorted(events) == [("CHANGED", "/kazoo"), ("CHILD", "/kazoo"), ("CREATED", "/kazoo/later")], events
    seen = []
    twice = threading.Event()

    @zk.DataWatch("/kazoo/later")
    def _(data, stat):
        seen.append(data)
        if data == b"second":
            twice.set()
            return False

    other.set("/kazoo/later", b"second")
    wait(twice, "data watch")

    step("ephemerals")
    other.create("/kazoo/eph", b"", ephemeral=True)
    stat = other.exists("/kazoo/eph")
    assert stat.ephemeralOwner == other.client_id[0], (stat, other.client_id)
    gone = threading.Event()
    zk.sync("/kazoo/eph")
    assert zk.exists("/kazoo/eph", watch=lambda e: gone.set())

    step("sequences")
    one = zk.create("/kazoo/seq-", b"", sequence=True)
    two = zk.create("/kazoo/seq-", b"", sequence=True, ephemeral=True)
    assert int(two[-10:]) == int(one[-10:]) + 1, (one, two)

    step("multi")
    txn = zk.transaction()
    txn.check("/kazoo/later", 1)
    txn.create("/kazoo/m", b"m")
    txn.set_data("/kazoo/m", b"n", version=0)
    txn.delete("/kazoo/with-stat")
    results = txn.commit()
    assert results[0] is True and results[1] == "/kazoo/m" and results[2].version == 1 and results[3] is True, results
    txn = zk.transaction()
    txn.create("/kazoo/never")
    txn.delete("/kazoo/none")
    txn.set_data("/kazoo/m", b"x")
    results = txn.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], NoNodeError), results
    assert zk.exists("/kazoo/never") is None

    step("recipes")
    with zk.Lock("/kazoo/lock", "me"):
        assert other.Lock("/kazoo/lock", "other").contenders() == ["me"]
    counter = zk.Counter("/kazoo/counter")
    counter += 3
    assert counter.value == 3
    zk.add_auth("digest", "user:password")
    from kazoo.security import make_digest_acl
    zk.create("/kazoo/secret", b"", acl=[make_digest_acl("user", "password", all=True)])
    zk.get("/kazoo/secret")

    step("commands")
    assert zk.command(b"ruok") == "imok"
    assert "Mode: " in zk.command(b"srvr")

    step("end of a session")
    other.stop()
    wait(gone, "the ephemeral of a closed session is deleted")

    step("delete")
    zk.delete("/kazoo/m", version=1)
    zk.delete("/kazoo", recursive=True)
    assert zk.exists("/kazoo") is None
    other.close()
    zk.stop()
    zk.close()
    print("ok")


main(sys.argv[1])
