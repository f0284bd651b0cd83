import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** A multi by ZooKeeper's Java client, the library of zkCli.sh, which has no command for it. */
public class JavaMulti {
    static void check(boolean ok, Object what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    public static void main(String[] args) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(args[0], 5000, event -> {
            if (event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        check(connected.await(15, TimeUnit.SECONDS), "not connected");
        List<OpResult> done = zk.multi(Arrays.asList(
                Op.create("/jmulti", "v".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.create("/jmulti/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL),
                Op.setData("/jmulti/a", "w".getBytes(), 0),
                Op.check("/jmulti/a", 1),
                Op.delete("/jmulti/a", 1)));
        check(done.size() == 5 && ((OpResult.SetDataResult) done.get(2)).getStat().getVersion() == 1, done);
        try {
            zk.multi(Arrays.asList(
                    Op.create("/jmulti/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                    Op.delete("/jmulti/none", -1)));
            check(false, "a multi that must fail did not");
        } catch (KeeperException.NoNodeException e) {
            check(((OpResult.ErrorResult) e.getResults().get(1)).getErr() == -101, e.getResults());
        }
        check(zk.exists("/jmulti/b", false) == null, "a failed multi left a node");
        List<OpResult> read = zk.multi(Arrays.asList(Op.getData("/jmulti"), Op.getChildren("/jmulti")));
        check(Arrays.equals(((OpResult.GetDataResult) read.get(0)).getData(), "v".getBytes()), read);
        zk.delete("/jmulti", -1);
        zk.close();
        System.out.println("ok");
    }
}
