import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.recipes.leader.LeaderElectionSupport;
import org.apache.zookeeper.recipes.lock.WriteLock;
import org.apache.zookeeper.recipes.queue.DistributedQueue;

/**
 * Tests of what Java programs do with ZooKeeper, by its own client, by the
 * recipes that come with it, and by Curator. Each test has a node of its own.
 *
 * <p>JavaSuite list; JavaSuite run host:port,… file-with-names
 */
public class JavaSuite {
    interface Test {
        void run(Env e) throws Exception;
    }

    static final int TIMEOUT = 10_000; // of a session
    static final long PATIENCE = 30; // seconds to wait for what must happen

    public static void main(String[] args) throws Exception {
        if (args[0].equals("list")) {
            tests().keySet().forEach(name -> say(name, "known", "", ""));
            return;
        }
        for (String name : Files.readAllLines(Path.of(args[2]))) {
            Test test = tests().get(name);
            if (test == null) {
                continue;
            }
            say(name, "begin", "", "");
            String outcome = "pass", reason = "";
            try (Env e = new Env(args[1])) {
                test.run(e);
            } catch (Throwable t) {
                outcome = "fail";
                reason = t + at(t);
            }
            say(name, "end", outcome, reason);
        }
        System.exit(0);
    }

    static String at(Throwable t) {
        for (StackTraceElement s : t.getStackTrace()) {
            if (s.getClassName().startsWith("JavaSuite") && !s.getMethodName().equals("check")) {
                return " (JavaSuite.java:" + s.getLineNumber() + ")";
            }
        }
        return "";
    }

    static synchronized void say(String test, String event, String outcome, String reason) {
        System.out.println("\n@compat {\"test\":" + quote(test) + ",\"event\":" + quote(event) + ",\"outcome\":" + quote(outcome)
            + ",\"reason\":" + quote(reason) + "}");
        System.out.flush();
    }

    static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c < ' ' || c > '~') {
                b.append(' ');
            } else {
                b.append(c == '"' || c == '\\' ? "\\" : "").append(c);
            }
        }
        return b.append('"').toString();
    }

    static void check(boolean ok, String what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    static void same(Object want, Object got) {
        check(Objects.equals(want, got), "want " + want + ", got " + got);
    }

    static void fails(Code want, Callable<?> f) throws Exception {
        try {
            f.call();
        } catch (KeeperException e) {
            same(want, e.code());
            return;
        }
        throw new AssertionError("want " + want + ", got success");
    }

    static void eventually(Callable<Boolean> f, String what) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
        while (!f.call()) {
            check(System.nanoTime() < end, "not in time: " + what);
            Thread.sleep(20);
        }
    }

    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] b) {
        return b == null ? null : new String(b, StandardCharsets.UTF_8);
    }

    /** Events collects what a watcher is told, the states of the connection aside. */
    static class Events implements Watcher {
        final BlockingQueue<WatchedEvent> queue = new LinkedBlockingQueue<>();

        public void process(WatchedEvent e) {
            if (e.getType() != EventType.None) {
                queue.add(e);
            }
        }

        void expect(EventType type, String path) throws Exception {
            WatchedEvent e = queue.poll(PATIENCE, TimeUnit.SECONDS);
            check(e != null, "no event " + type + " of " + path);
            same(type + " " + path, e.getType() + " " + e.getPath());
        }

        void none() throws Exception {
            WatchedEvent e = queue.poll(300, TimeUnit.MILLISECONDS);
            check(e == null, "an event that nobody asked for: " + e);
        }
    }

    /** Env is the surroundings of a test: its hosts, its clients and its node. */
    static class Env implements AutoCloseable {
        final String hosts;
        final String root = "/java-" + Long.toHexString(System.nanoTime());
        final List<ZooKeeper> clients = new ArrayList<>();
        final List<CuratorFramework> curators = new ArrayList<>();
        final ZooKeeper zk;

        Env(String hosts) throws Exception {
            this.hosts = hosts;
            zk = client(hosts);
            for (int i = 0; ; i++) {
                try {
                    zk.create(root, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                    return;
                } catch (KeeperException.NodeExistsException e) {
                    return;
                } catch (KeeperException.ConnectionLossException e) {
                    if (i == 50) {
                        throw e;
                    }
                    Thread.sleep(200);
                }
            }
        }

        ZooKeeper client(String hosts) throws Exception {
            return keep(new ZooKeeper(hosts, TIMEOUT, event -> { }));
        }

        ZooKeeper keep(ZooKeeper z) throws Exception {
            clients.add(z);
            eventually(() -> z.getState().isConnected(), "connected");
            return z;
        }

        String host(int i) {
            String[] all = hosts.split(",");
            return all[i % all.length];
        }

        CuratorFramework curator() throws Exception {
            CuratorFramework c = CuratorFrameworkFactory.builder().connectString(hosts).sessionTimeoutMs(TIMEOUT)
                .connectionTimeoutMs(TIMEOUT).retryPolicy(new ExponentialBackoffRetry(100, 8)).build();
            curators.add(c);
            c.start();
            check(c.blockUntilConnected((int) PATIENCE, TimeUnit.SECONDS), "not connected");
            return c;
        }

        String path(String name) {
            return root + "/" + name;
        }

        String make(String name, String data) throws Exception {
            return zk.create(path(name), data == null ? null : bytes(data), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }

        public void close() throws Exception {
            curators.forEach(CuratorFramework::close);
            for (ZooKeeper z : clients) {
                z.close();
            }
        }
    }

    static Map<String, Test> tests() {
        Map<String, Test> all = new LinkedHashMap<>();
        nodes(all);
        watches(all);
        sessions(all);
        recipes(all);
        curator(all);
        curatorLocks(all);
        return all;
    }

    static void nodes(Map<String, Test> all) {
        all.put("client: null data is not empty data", e -> {
            e.make("null", null);
            e.make("empty", "");
            same(null, e.zk.getData(e.path("null"), false, null));
            same("", text(e.zk.getData(e.path("empty"), false, null)));
        });
        all.put("client: stat of create and set", e -> {
            Stat made = new Stat();
            e.zk.create(e.path("a"), bytes("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, made);
            same(made.getCzxid(), made.getMzxid());
            same(1, made.getDataLength());
            Stat set = e.zk.setData(e.path("a"), bytes("yz"), 0);
            same(made.getCzxid(), set.getCzxid());
            same(1, set.getVersion());
            check(set.getMzxid() > made.getMzxid(), "mzxid does not grow");
            same(set, e.zk.exists(e.path("a"), false));
            fails(Code.BADVERSION, () -> e.zk.setData(e.path("a"), null, 0));
        });
        all.put("client: sequential names", e -> {
            for (int i = 0; i < 3; i++) {
                same(e.path(String.format("n-%010d", i)),
                    e.zk.create(e.path("n-"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL));
            }
        });
        all.put("client: container and TTL nodes", e -> {
            e.zk.create(e.path("box"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
            e.zk.create(e.path("ttl"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 60_000);
            String seq = e.zk.create(e.path("s-"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, new Stat(), 60_000);
            same(e.path("s-0000000002"), seq);
            same(0L, e.zk.exists(e.path("box"), false).getEphemeralOwner() & 0x7fffffffffffffffL);
        });
        all.put("client: multi, all or nothing", e -> {
            List<OpResult> done = e.zk.multi(List.of(Op.create(e.path("a"), bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.setData(e.path("a"), bytes("2"), 0), Op.check(e.path("a"), 1),
                Op.create(e.path("b"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL), Op.delete(e.path("b"), 0)));
            same(5, done.size());
            same(1, ((OpResult.SetDataResult) done.get(1)).getStat().getVersion());
            try {
                e.zk.multi(List.of(Op.setData(e.path("a"), bytes("3"), 1), Op.check(e.path("none"), 0), Op.delete(e.path("a"), -1)));
                check(false, "it succeeded");
            } catch (KeeperException x) {
                same(Code.NONODE, x.code());
                List<Integer> codes = new ArrayList<>();
                x.getResults().forEach(r -> codes.add(((OpResult.ErrorResult) r).getErr()));
                same(List.of(0, Code.NONODE.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()), codes);
            }
            same("2", text(e.zk.getData(e.path("a"), false, null)));
        });
        all.put("client: multi that only reads", e -> {
            e.make("a", "x");
            List<OpResult> got = e.zk.multi(List.of(Op.getData(e.path("a")), Op.getChildren(e.root), Op.getData(e.path("none"))));
            same("x", text(((OpResult.GetDataResult) got.get(0)).getData()));
            same(List.of("a"), ((OpResult.GetChildrenResult) got.get(1)).getChildren());
            same(Code.NONODE.intValue(), ((OpResult.ErrorResult) got.get(2)).getErr());
        });
        all.put("client: a thousand requests in flight, answered in order", e -> {
            e.make("n", "");
            List<Integer> order = Collections.synchronizedList(new ArrayList<>());
            CountDownLatch left = new CountDownLatch(1000);
            for (int i = 0; i < 1000; i++) {
                int n = i;
                if (i % 2 == 0) {
                    e.zk.setData(e.path("n"), bytes("" + n), -1, (rc, p, c, s) -> { order.add(n); left.countDown(); }, null);
                } else {
                    e.zk.getData(e.path("n"), false, (rc, p, c, d, s) -> {
                        order.add(text(d).equals("" + (n - 1)) ? n : -n);
                        left.countDown();
                    }, null);
                }
            }
            check(left.await(PATIENCE, TimeUnit.SECONDS), "not all are answered");
            for (int i = 0; i < 1000; i++) {
                same(i, order.get(i));
            }
        });
        all.put("client: a megabyte of data, and no more", e -> {
            byte[] big = new byte[1_000_000];
            Arrays.fill(big, (byte) 'x');
            e.zk.create(e.path("big"), big, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            check(Arrays.equals(big, e.zk.getData(e.path("big"), false, null)), "other data");
            try {
                e.zk.setData(e.path("big"), new byte[1_100_000], -1);
                check(false, "it was accepted");
            } catch (KeeperException.ConnectionLossException x) {
                eventually(() -> e.zk.getState().isConnected(), "connected again");
            }
        });
        all.put("client: three thousand children", e -> {
            CountDownLatch left = new CountDownLatch(3000);
            for (int i = 0; i < 3000; i++) {
                e.zk.create(e.path("c" + i), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, p, c, n) -> left.countDown(), null);
            }
            check(left.await(PATIENCE, TimeUnit.SECONDS), "not all are answered");
            same(3000, e.zk.getChildren(e.root, false).size());
            same(3000, e.zk.getAllChildrenNumber(e.root));
        });
        all.put("client: ACLs and digest", e -> {
            ZooKeeper bob = e.client(e.hosts);
            bob.addAuthInfo("digest", bytes("bob:secret"));
            bob.create(e.path("bob"), bytes("x"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            fails(Code.NOAUTH, () -> e.zk.getData(e.path("bob"), false, null));
            fails(Code.NOAUTH, () -> e.zk.getACL(e.path("bob"), new Stat()));
            same("x", text(bob.getData(e.path("bob"), false, null)));
            same("bob", bob.whoAmI().stream().filter(c -> c.getAuthScheme().equals("digest")).findFirst().get().getUser());
            fails(Code.INVALIDACL, () -> e.zk.create(e.path("auth"), null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
            bob.setACL(e.path("bob"), Ids.OPEN_ACL_UNSAFE, 0);
            same("x", text(e.zk.getData(e.path("bob"), false, null)));
        });
        all.put("client: config is readable and names three servers", e -> {
            String config = text(e.zk.getConfig(false, new Stat()));
            same(3, config.split("participant", -1).length - 1);
        });
    }

    static void watches(Map<String, Test> all) {
        all.put("client: one-shot watches", e -> {
            Events events = new Events();
            ZooKeeper other = e.client(e.hosts);
            e.zk.exists(e.path("a"), events);
            other.create(e.path("a"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            events.expect(EventType.NodeCreated, e.path("a"));
            e.zk.getData(e.path("a"), events, null);
            other.setData(e.path("a"), null, -1);
            other.setData(e.path("a"), null, -1);
            events.expect(EventType.NodeDataChanged, e.path("a"));
            e.zk.getChildren(e.path("a"), events);
            other.create(e.path("a/b"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            events.expect(EventType.NodeChildrenChanged, e.path("a"));
            events.none();
        });
        all.put("client: the event before the answer that shows the change", e -> {
            e.make("a", "0");
            Events events = new Events();
            ZooKeeper other = e.client(e.hosts);
            for (int i = 1; i <= 50; i++) {
                same("" + (i - 1), text(e.zk.getData(e.path("a"), events, null)));
                other.setData(e.path("a"), bytes("" + i), -1);
                String seen;
                CompletableFuture<Boolean> first = new CompletableFuture<>();
                do {
                    seen = text(e.zk.getData(e.path("a"), false, null));
                } while (!seen.equals("" + i));
                events.expect(EventType.NodeDataChanged, e.path("a"));
            }
        });
        all.put("client: persistent watch", e -> {
            Events events = new Events();
            e.make("a", "");
            e.zk.addWatch(e.path("a"), events, AddWatchMode.PERSISTENT);
            e.zk.setData(e.path("a"), null, -1);
            e.zk.setData(e.path("a"), null, -1);
            e.make("a/b", "");
            e.zk.setData(e.path("a/b"), null, -1);
            e.zk.delete(e.path("a/b"), -1);
            events.expect(EventType.NodeDataChanged, e.path("a"));
            events.expect(EventType.NodeDataChanged, e.path("a"));
            events.expect(EventType.NodeChildrenChanged, e.path("a"));
            events.expect(EventType.NodeChildrenChanged, e.path("a"));
            events.none();
        });
        all.put("client: recursive watch", e -> {
            Events events = new Events();
            e.make("a", "");
            e.zk.addWatch(e.path("a"), events, AddWatchMode.PERSISTENT_RECURSIVE);
            e.make("a/b", "");
            e.make("a/b/c", "");
            e.zk.setData(e.path("a/b/c"), null, -1);
            e.zk.delete(e.path("a/b/c"), -1);
            events.expect(EventType.NodeCreated, e.path("a/b"));
            events.expect(EventType.NodeCreated, e.path("a/b/c"));
            events.expect(EventType.NodeDataChanged, e.path("a/b/c"));
            events.expect(EventType.NodeDeleted, e.path("a/b/c"));
            events.none();
        });
        all.put("client: removed watches are silent", e -> {
            Events events = new Events();
            e.make("a", "");
            e.zk.getData(e.path("a"), events, null);
            e.zk.removeWatches(e.path("a"), events, Watcher.WatcherType.Data, false);
            events.expect(EventType.DataWatchRemoved, e.path("a"));
            e.zk.setData(e.path("a"), null, -1);
            events.none();
            fails(Code.NOWATCHER, () -> {
                e.zk.removeAllWatches(e.path("a"), Watcher.WatcherType.Any, false);
                return null;
            });
        });
        all.put("client: watches move with the session, and tell what was missed", e -> {
            e.make("data", "");
            e.make("kids", "");
            e.make("all", "");
            Events data = new Events(), kids = new Events(), exists = new Events(), tree = new Events();
            ZooKeeper mover = e.client(e.host(0));
            mover.getData(e.path("data"), data, null);
            mover.getChildren(e.path("kids"), kids);
            mover.exists(e.path("new"), exists);
            mover.addWatch(e.path("all"), tree, AddWatchMode.PERSISTENT_RECURSIVE);
            long session = mover.getSessionId();
            mover.updateServerList(e.host(1));
            eventually(() -> mover.getState().isConnected() && mover.toString().contains(e.host(1).split(":")[1]), "moved");
            e.zk.setData(e.path("data"), null, -1);
            e.make("kids/k", "");
            e.make("new", "");
            e.make("all/a", "");
            data.expect(EventType.NodeDataChanged, e.path("data"));
            kids.expect(EventType.NodeChildrenChanged, e.path("kids"));
            exists.expect(EventType.NodeCreated, e.path("new"));
            tree.expect(EventType.NodeCreated, e.path("all/a"));
            same(session, mover.getSessionId());
        });
    }

    static void sessions(Map<String, Test> all) {
        all.put("client: ephemerals go with the session, at once when it is closed", e -> {
            ZooKeeper owner = e.client(e.hosts);
            owner.create(e.path("e"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            same(List.of(e.path("e")), owner.getEphemerals());
            same(owner.getSessionId(), e.zk.exists(e.path("e"), false).getEphemeralOwner());
            fails(Code.NOCHILDRENFOREPHEMERALS, () -> e.make("e/c", ""));
            Events events = new Events();
            e.zk.exists(e.path("e"), events);
            owner.close();
            events.expect(EventType.NodeDeleted, e.path("e"));
        });
        all.put("client: a session is taken up again on another server", e -> {
            ZooKeeper one = e.client(e.host(0));
            one.create(e.path("e"), null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            ZooKeeper two = e.keep(new ZooKeeper(e.host(1), TIMEOUT, event -> { }, one.getSessionId(), one.getSessionPasswd()));
            same(one.getSessionId(), two.getSessionId());
            two.setData(e.path("e"), bytes("mine"), 0);
            same(List.of(e.path("e")), two.getEphemerals());
        });
        all.put("client: a session that is closed elsewhere has expired", e -> {
            CountDownLatch expired = new CountDownLatch(1);
            ZooKeeper one = e.keep(new ZooKeeper(e.host(0), TIMEOUT, event -> {
                if (event.getState() == KeeperState.Expired) {
                    expired.countDown();
                }
            }));
            ZooKeeper two = e.keep(new ZooKeeper(e.host(1), TIMEOUT, event -> { }, one.getSessionId(), one.getSessionPasswd()));
            two.close();
            check(expired.await(PATIENCE, TimeUnit.SECONDS), "the other handle is not told");
        });
        all.put("client: a wrong password takes up no session", e -> {
            CountDownLatch expired = new CountDownLatch(1);
            ZooKeeper thief = new ZooKeeper(e.host(1), TIMEOUT, event -> {
                if (event.getState() == KeeperState.Expired) {
                    expired.countDown();
                }
            }, e.zk.getSessionId(), new byte[16]);
            e.clients.add(thief);
            check(expired.await(PATIENCE, TimeUnit.SECONDS), "it is not refused");
            e.make("still", "here");
        });
        all.put("client: sync, then read what another server has written", e -> {
            ZooKeeper one = e.client(e.host(0)), two = e.client(e.host(1));
            for (int i = 0; i < 30; i++) {
                one.create(e.path("n" + i), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                CompletableFuture<Integer> synced = new CompletableFuture<>();
                two.sync(e.root, (rc, p, c) -> synced.complete(rc), null);
                same(0, synced.get(PATIENCE, TimeUnit.SECONDS));
                check(two.exists(e.path("n" + i), false) != null, "n" + i + " is not there");
            }
        });
    }

    static void recipes(Map<String, Test> all) {
        all.put("recipes: WriteLock", e -> {
            WriteLock one = new WriteLock(e.zk, e.path("lock"), null);
            WriteLock two = new WriteLock(e.client(e.hosts), e.path("lock"), null);
            check(one.lock(), "the first has no lock");
            check(!two.lock(), "both have the lock");
            one.unlock();
            eventually(two::isOwner, "the second has the lock");
            two.unlock();
        });
        all.put("recipes: LeaderElectionSupport", e -> {
            e.make("lead", "");
            List<LeaderElectionSupport> all3 = new ArrayList<>();
            AtomicInteger elected = new AtomicInteger();
            for (int i = 0; i < 3; i++) {
                LeaderElectionSupport s = new LeaderElectionSupport();
                s.setZooKeeper(e.client(e.hosts));
                s.setRootNodeName(e.path("lead"));
                s.setHostName("host" + i);
                s.addListener(event -> {
                    if (event == LeaderElectionSupport.EventType.ELECTED_COMPLETE) {
                        elected.incrementAndGet();
                    }
                });
                s.start();
                all3.add(s);
            }
            eventually(() -> elected.get() == 1, "one leader");
            same("host0", all3.get(2).getLeaderHostName());
            all3.get(0).stop();
            eventually(() -> elected.get() == 2, "the next leader");
            same("host1", all3.get(2).getLeaderHostName());
            all3.get(1).stop();
            all3.get(2).stop();
        });
        all.put("recipes: DistributedQueue", e -> {
            e.make("queue", ""); // the recipe makes it itself, but fails where two do at once
            DistributedQueue in = new DistributedQueue(e.zk, e.path("queue"), null);
            DistributedQueue out = new DistributedQueue(e.client(e.hosts), e.path("queue"), null);
            CompletableFuture<String> first = CompletableFuture.supplyAsync(() -> {
                try {
                    return text(out.take());
                } catch (Exception x) {
                    return x.toString();
                }
            });
            in.offer(bytes("one"));
            same("one", first.get(PATIENCE, TimeUnit.SECONDS));
            for (int i = 0; i < 20; i++) {
                in.offer(bytes("" + i));
            }
            for (int i = 0; i < 20; i++) {
                same("" + i, text(out.take()));
            }
        });
    }

    static void curator(Map<String, Test> all) {
        all.put("curator: create with parents, protection and containers; guaranteed delete", e -> {
            CuratorFramework c = e.curator();
            c.create().creatingParentContainersIfNeeded().forPath(e.path("x/y/z"), bytes("1"));
            String p = c.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(e.path("x/p-"), null);
            check(p.contains("_c_"), p);
            c.delete().guaranteed().deletingChildrenIfNeeded().forPath(e.path("x"));
            same(null, c.checkExists().forPath(e.path("x")));
        });
        all.put("curator: transaction", e -> {
            CuratorFramework c = e.curator();
            c.transaction().forOperations(c.transactionOp().create().forPath(e.path("t"), bytes("1")),
                c.transactionOp().setData().forPath(e.path("t"), bytes("2")), c.transactionOp().check().withVersion(1).forPath(e.path("t")));
            same("2", text(c.getData().forPath(e.path("t"))));
        });
        all.put("curator: CuratorCache", e -> {
            CuratorFramework c = e.curator();
            try (CuratorCache cache = CuratorCache.build(c, e.path("cache"))) {
                cache.start();
                e.make("cache", "0");
                for (int i = 0; i < 10; i++) {
                    e.make("cache/" + i, "" + i);
                }
                e.zk.setData(e.path("cache/3"), bytes("three"), -1);
                e.zk.delete(e.path("cache/4"), -1);
                eventually(() -> cache.size() == 10 && cache.get(e.path("cache/3")).map(d -> text(d.getData())).orElse("").equals("three"),
                    "the cache shows what is there");
            }
        });
        all.put("curator: PersistentWatcher", e -> {
            CuratorFramework c = e.curator();
            e.make("w", "");
            Events events = new Events();
            try (PersistentWatcher w = new PersistentWatcher(c, e.path("w"), true)) {
                CountDownLatch set = new CountDownLatch(1);
                w.getResetListenable().addListener(set::countDown);
                w.getListenable().addListener(events);
                w.start();
                check(set.await(PATIENCE, TimeUnit.SECONDS), "not set");
                e.make("w/a", "");
                e.zk.setData(e.path("w/a"), null, -1);
                events.expect(EventType.NodeCreated, e.path("w/a"));
                events.expect(EventType.NodeDataChanged, e.path("w/a"));
            }
        });
        all.put("curator: PersistentNode comes back when it is deleted", e -> {
            CuratorFramework c = e.curator();
            try (PersistentNode n = new PersistentNode(c, CreateMode.EPHEMERAL, false, e.path("me"), bytes("x"))) {
                n.start();
                check(n.waitForInitialCreate(PATIENCE, TimeUnit.SECONDS), "not created");
                long first = e.zk.exists(e.path("me"), false).getCzxid();
                e.zk.delete(e.path("me"), -1);
                eventually(() -> {
                    Stat s = e.zk.exists(e.path("me"), false);
                    return s != null && s.getCzxid() > first;
                }, "created again");
            }
        });
        all.put("curator: PersistentTtlNode", e -> {
            CuratorFramework c = e.curator();
            try (PersistentTtlNode n = new PersistentTtlNode(c, e.path("ttl"), 60_000, bytes("x"))) {
                n.start();
                check(n.waitForInitialCreate(PATIENCE, TimeUnit.SECONDS), "not created");
            }
        });
        all.put("curator: GroupMember", e -> {
            try (GroupMember one = new GroupMember(e.curator(), e.path("group"), "one");
                GroupMember two = new GroupMember(e.curator(), e.path("group"), "two")) {
                one.start();
                two.start();
                eventually(() -> one.getCurrentMembers().size() == 2 && two.getCurrentMembers().size() == 2, "both see both");
            }
        });
        all.put("curator: SimpleDistributedQueue", e -> {
            SimpleDistributedQueue q = new SimpleDistributedQueue(e.curator(), e.path("queue"));
            for (int i = 0; i < 10; i++) {
                q.offer(bytes("" + i));
            }
            for (int i = 0; i < 10; i++) {
                same("" + i, text(q.poll(PATIENCE, TimeUnit.SECONDS)));
            }
        });
        all.put("curator: SharedCount", e -> {
            try (SharedCount one = new SharedCount(e.curator(), e.path("count"), 3);
                SharedCount two = new SharedCount(e.curator(), e.path("count"), 3)) {
                one.start();
                two.start();
                one.setCount(7);
                eventually(() -> two.getCount() == 7, "the other sees it");
                check(two.trySetCount(two.getVersionedValue(), 8), "not set");
                eventually(() -> one.getCount() == 8, "the first sees it");
            }
        });
        all.put("curator: DistributedAtomicLong", e -> {
            ExponentialBackoffRetry retry = new ExponentialBackoffRetry(5, 20);
            List<Thread> threads = new ArrayList<>();
            AtomicInteger failed = new AtomicInteger();
            for (int t = 0; t < 3; t++) {
                DistributedAtomicLong n = new DistributedAtomicLong(e.curator(), e.path("n"), retry);
                Thread thread = new Thread(() -> {
                    for (int i = 0; i < 10; i++) {
                        try {
                            if (!n.increment().succeeded()) {
                                failed.incrementAndGet();
                            }
                        } catch (Exception x) {
                            failed.incrementAndGet();
                        }
                    }
                });
                thread.start();
                threads.add(thread);
            }
            for (Thread t : threads) {
                t.join();
            }
            same(0, failed.get());
            same(30L, new DistributedAtomicLong(e.curator(), e.path("n"), retry).get().postValue());
        });
    }

    static void curatorLocks(Map<String, Test> all) {
        all.put("curator: InterProcessMutex excludes", e -> {
            AtomicInteger inside = new AtomicInteger(), most = new AtomicInteger(), done = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int t = 0; t < 4; t++) {
                InterProcessMutex m = new InterProcessMutex(e.curator(), e.path("mutex"));
                Thread thread = new Thread(() -> {
                    try {
                        for (int i = 0; i < 5; i++) {
                            m.acquire();
                            most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                            Thread.sleep(5);
                            inside.decrementAndGet();
                            m.release();
                            done.incrementAndGet();
                        }
                    } catch (Exception x) {
                        x.printStackTrace();
                    }
                });
                thread.start();
                threads.add(thread);
            }
            for (Thread t : threads) {
                t.join();
            }
            same(20, done.get());
            same(1, most.get());
        });
        all.put("curator: InterProcessReadWriteLock", e -> {
            InterProcessReadWriteLock one = new InterProcessReadWriteLock(e.curator(), e.path("rw"));
            InterProcessReadWriteLock two = new InterProcessReadWriteLock(e.curator(), e.path("rw"));
            one.readLock().acquire();
            check(two.readLock().acquire(PATIENCE, TimeUnit.SECONDS), "two readers");
            check(!two.writeLock().acquire(300, TimeUnit.MILLISECONDS), "a writer beside readers");
            two.readLock().release();
            one.readLock().release();
            check(two.writeLock().acquire(PATIENCE, TimeUnit.SECONDS), "a writer");
            check(!one.readLock().acquire(300, TimeUnit.MILLISECONDS), "a reader beside a writer");
            two.writeLock().release();
        });
        all.put("curator: InterProcessSemaphoreV2", e -> {
            InterProcessSemaphoreV2 one = new InterProcessSemaphoreV2(e.curator(), e.path("sem"), 2);
            InterProcessSemaphoreV2 two = new InterProcessSemaphoreV2(e.curator(), e.path("sem"), 2);
            Collection<Lease> leases = one.acquire(2);
            check(two.acquire(300, TimeUnit.MILLISECONDS) == null, "a third lease");
            one.returnAll(leases);
            check(two.acquire(PATIENCE, TimeUnit.SECONDS) != null, "no lease");
        });
        all.put("curator: LeaderLatch", e -> {
            CuratorFramework first = e.curator();
            LeaderLatch one = new LeaderLatch(first, e.path("latch"), "one");
            LeaderLatch two = new LeaderLatch(e.curator(), e.path("latch"), "two");
            one.start();
            check(one.await(PATIENCE, TimeUnit.SECONDS), "no leader");
            two.start();
            eventually(() -> two.getParticipants().size() == 2, "both take part");
            check(!two.hasLeadership(), "two leaders");
            first.close();
            check(two.await(PATIENCE, TimeUnit.SECONDS), "no second leader");
            two.close();
        });
        all.put("curator: LeaderSelector", e -> {
            List<String> led = Collections.synchronizedList(new ArrayList<>());
            List<LeaderSelector> selectors = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                String name = "s" + i;
                LeaderSelector s = new LeaderSelector(e.curator(), e.path("select"), new LeaderSelectorListenerAdapter() {
                    public void takeLeadership(CuratorFramework c) {
                        led.add(name);
                    }
                });
                s.start();
                selectors.add(s);
            }
            eventually(() -> led.size() == 3, "each has led once");
            selectors.forEach(LeaderSelector::close);
        });
        all.put("curator: DistributedBarrier", e -> {
            DistributedBarrier one = new DistributedBarrier(e.curator(), e.path("barrier"));
            DistributedBarrier two = new DistributedBarrier(e.curator(), e.path("barrier"));
            one.setBarrier();
            check(!two.waitOnBarrier(300, TimeUnit.MILLISECONDS), "the barrier is open");
            one.removeBarrier();
            check(two.waitOnBarrier(PATIENCE, TimeUnit.SECONDS), "the barrier is closed");
        });
        all.put("curator: DistributedDoubleBarrier", e -> {
            AtomicInteger entered = new AtomicInteger();
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                DistributedDoubleBarrier b = new DistributedDoubleBarrier(e.curator(), e.path("double"), 3);
                Thread t = new Thread(() -> {
                    try {
                        if (b.enter(PATIENCE, TimeUnit.SECONDS) && b.leave(PATIENCE, TimeUnit.SECONDS)) {
                            entered.incrementAndGet();
                        }
                    } catch (Exception x) {
                        x.printStackTrace();
                    }
                });
                t.start();
                threads.add(t);
            }
            for (Thread t : threads) {
                t.join();
            }
            same(3, entered.get());
        });
    }
}
