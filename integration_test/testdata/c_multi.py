"""A multi by ZooKeeper's C client, the library of cli_mt, against argv[1].

cli_mt itself has no command for it.
"""
import ctypes
import sys
import time

lib = ctypes.CDLL("libzookeeper_mt.so.2")
lib.zookeeper_init.restype = ctypes.c_void_p
lib.zookeeper_init.argtypes = [ctypes.c_char_p] + [ctypes.c_void_p] * 1 + [ctypes.c_int] + [ctypes.c_void_p] * 2 + [ctypes.c_int]
lib.zoo_set_debug_level(1)

SIZE_OF_OP = 72  # sizeof(zoo_op_t) of 3.8 on 64 bits


class Result(ctypes.Structure):
    _fields_ = [("err", ctypes.c_int), ("value", ctypes.c_char_p), ("valuelen", ctypes.c_int), ("stat", ctypes.c_void_p)]


def main(hosts):
    zk = ctypes.c_void_p(lib.zookeeper_init(hosts.encode(), None, 5000, None, None, 0))
    for _ in range(1000):
        if lib.zoo_state(zk) == 3:  # connected
            break
        time.sleep(0.01)
    assert lib.zoo_state(zk) == 3, "not connected"
    acl = ctypes.byref(ctypes.c_char.in_dll(lib, "ZOO_OPEN_ACL_UNSAFE"))
    name = ctypes.create_string_buffer(64)
    stat = ctypes.create_string_buffer(256)

    def multi(*inits):
        ops = ctypes.create_string_buffer(SIZE_OF_OP * len(inits))
        results = (Result * len(inits))()
        for i, init in enumerate(inits):
            init(ctypes.byref(ops, SIZE_OF_OP * i))
        rc = lib.zoo_multi(zk, len(inits), ops, results)
        return rc, [r.err for r in results]

    def create(path):
        return lambda op: lib.zoo_create_op_init(op, path, b"v", 1, acl, 0, name, 64)

    def delete(path):
        return lambda op: lib.zoo_delete_op_init(op, path, -1)

    def put(path, version):
        return lambda op: lib.zoo_set_op_init(op, path, b"w", 1, version, stat)

    def check(path, version):
        return lambda op: lib.zoo_check_op_init(op, path, version)

    got = multi(create(b"/cmulti"), create(b"/cmulti/a"), put(b"/cmulti/a", 0), check(b"/cmulti/a", 1), delete(b"/cmulti/a"))
    assert got == (0, [0, 0, 0, 0, 0]), got
    got = multi(create(b"/cmulti/b"), delete(b"/cmulti/none"), create(b"/cmulti/c"))
    assert got == (-101, [0, -101, -2]), got
    assert lib.zoo_exists(zk, b"/cmulti/b", 0, stat) == -101
    assert lib.zoo_delete(zk, b"/cmulti", -1) == 0
    assert lib.zookeeper_close(zk) == 0
    print("ok")


main(sys.argv[1])
