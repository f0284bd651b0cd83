"""kazoo by TLS and by SASL: argv are the plain and the secure host:port, the
authority's certificate, and the client's certificate with its key.

Prints one line per step and ends with "ok"; an assertion ends it with 1.
"""
import logging
import sys
import threading

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import AuthFailedError, NoAuthError
from kazoo.security import make_acl


def client(hosts, **options):
    zk = KazooClient(hosts=hosts, timeout=5.0, **options)
    zk.start(timeout=15)
    return zk


def login(user, password):
    return {"sasl_options": {"mechanism": "DIGEST-MD5", "username": user, "password": password}}


def main(plain, secure, ca, cert):
    logging.basicConfig()
    print("tls", flush=True)
    alice = client(secure, use_ssl=True, ca=ca, certfile=cert, keyfile=cert)
    alice.create("/alice", b"hers", acl=[make_acl("auth", "", all=True)])
    acls, _ = alice.get_acls("/alice")
    assert acls[0].id.scheme == "x509" and acls[0].id.id == "CN=alice,O=Example", acls

    print("sasl", flush=True)
    bob = client(plain, **login("bob", "bobsecret"))
    bob.create("/bob", b"his", acl=[make_acl("sasl", "bob", all=True)])
    assert bob.get("/bob")[0] == b"his"
    for zk, path in (alice, "/bob"), (bob, "/alice"):
        try:
            zk.get(path)
            assert False, path
        except NoAuthError:
            pass

    print("super", flush=True)
    root = client(plain, **login("super", "adminsecret"))
    assert root.get("/alice")[0] == b"hers"
    root.delete("/alice")
    root.delete("/bob")

    print("wrong password", flush=True)
    eve = KazooClient(hosts=plain, timeout=5.0, **login("bob", "x"))
    failed = threading.Event()
    eve.add_listener(lambda state: state == KazooState.LOST and failed.set())
    try:
        eve.start(timeout=10)
        assert failed.wait(10), "connected with a wrong password"
    except (AuthFailedError, eve.handler.timeout_exception):
        pass
    for zk in alice, bob, root, eve:
        zk.stop()
        zk.close()
    print("ok", flush=True)


main(*sys.argv[1:])
