"""A client that is content with a server without a quorum."""
import sys

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import NotReadOnlyCallError
from kazoo.protocol.states import KeeperState

zk = KazooClient(sys.argv[1], read_only=True, timeout=4)
zk.start(timeout=20)
assert zk.client_state == KeeperState.CONNECTED_RO, zk.client_state
data, stat = zk.get("/ro")
assert data == b"before", data
assert zk.get_children("/") and zk.exists("/nothing") is None
for what, call in [
    ("create", lambda: zk.create("/new", b"")),
    ("set", lambda: zk.set("/ro", b"x")),
    ("delete", lambda: zk.delete("/ro")),
    ("sync", lambda: zk.sync("/ro")),
    ("ephemeral", lambda: zk.create("/e", b"", ephemeral=True)),
]:
    try:
        call()
    except NotReadOnlyCallError:
        continue
    raise AssertionError(what + " was not refused")
zk.stop()
zk.close()
print("ok")
