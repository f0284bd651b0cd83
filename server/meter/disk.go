package meter

import (
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// slowSync is from when on a sync is counted as slow: ZooKeeper's
// fsync.warningthresholdms.
const slowSync = time.Second

// disk measures the log and the snapshots. Several goroutines sync.
type disk struct {
	t        *metric.Table
	unsynced atomic.Int64 // transactions written since the last sync
}

func (d *disk) trace() *storage.Trace {
	return &storage.Trace{
		Append: func(from, to zab.Position, _ int) { d.unsynced.Add(int64(count(from.Zxid, to.Zxid))) },
		Sync: func(_ zab.Position, took time.Duration, err error) {
			if err != nil {
				return
			}
			d.t.FsyncTime.Took(took)
			d.t.FlushTime.Took(took)
			if took > slowSync {
				d.t.SlowFsyncs.Inc()
			}
			if n := d.unsynced.Swap(0); n > 0 {
				d.t.BatchSize.Observe(n)
			}
		},
	}
}

func (d *disk) loaded(l quorum.Loaded) {
	if l.Snapshot.Zxid != 0 {
		d.t.StartupSnapTime.Took(l.Took)
	}
	d.t.StartupTxns.Observe(int64(l.Txns))
	d.t.StartupTxnsTime.Took(l.TxnsTook)
	d.t.InitTime.Took(l.Took + l.TxnsTook)
}

func (d *disk) snapshot(_ zab.Position, took time.Duration) { d.t.SnapshotTime.Took(took) }
