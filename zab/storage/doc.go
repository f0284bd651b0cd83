// Package storage keeps on disk what a server must not forget: the log of its
// transactions, snapshots of its state, and the epochs it has promised.
//
// A [Store] is opened with [Open], which recovers from whatever a crash left
// behind and says in a [Recovery] what it found. One goroutine appends and syncs;
// others read, write snapshots and purge meanwhile. Everything goes through the
// small interface [FS]; [OS] is the real one, [MemFS] one that forgets in a crash
// what a disk would.
//
// # What is durable when
//
// Sync makes the log durable up to its end. Truncate, SaveEpochs, Install,
// Commit and Open have made durable what they did when they return. A sync that
// failed makes the store fail for good ([ErrFailed]): the kernel may have dropped
// the data, and the next sync would succeed all the same. Only opening the store
// again, best in a new process, tells what is there; Open writes the end of the
// log once more before it trusts it.
//
// # Files
//
// All numbers are big-endian; crc is CRC-32C. Dir holds snapshots and epochs,
// LogDir (the same, unless configured) the log; each holds a file lock, which
// one process at a time has locked. A name ending in .tmp is a file in the
// making; Open removes those of ours. Every file is made so: write, sync, rename,
// sync the directory.
//
// epochs, 40 bytes, replaced as a whole:
//
//	 0  8  "QUOREPO\n"
//	 8  4  version, 1
//	12  4  flags: 1 unsure
//	16  8  accepted epoch
//	24  8  current epoch
//	32  4  sid of the server whose data it is, lower 32 bits; 0: not said
//	36  4  crc of bytes 0 to 35
//
// log.<first zxid, 16 hex digits>, a segment. Its header has 56 bytes:
//
//	 0  8  "QUORLOG\n"
//	 8  4  version, 1
//	12  4  0
//	16  8  generation
//	24  8  first zxid
//	32  8  zxid that the first one follows
//	40  8  chain up to that
//	48  4  0
//	52  4  crc of bytes 0 to 51
//
// Batches follow without a gap. A batch begins at a multiple of 8:
//
//	 0  4  "QBAT"
//	 4  4  length of the body, in bytes
//	 8  4  number of records, at least 1
//	12  4  crc of the body
//	16  8  zxid known to be committed when this was written, a hint
//	24  8  offset in this file up to which it was durable when this was written
//	32  8  zxid of the first record
//	40  4  0
//	44  4  crc of: salt (8 bytes: the chain at 40 of the file's header plus
//	       its generation), offset of the batch (8 bytes), bytes 0 to 43
//	48     body: the records
//	       1 to 8 bytes 0x42 up to the next multiple of 8
//
// A record:
//
//	 0  8  zxid
//	 8  8  origin: server
//	16  8  origin: tag
//	24  8  chain, see zab.NextChain
//	32  4  length of the data
//	36     data
//
// The newest segment is preallocated: behind the last batch it has zeros. The
// others end with their last batch. After a restart the newest one is continued.
//
// snapshot.<zxid, 16 hex digits>:
//
//	 0  8  "QUORSNP\n"
//	 8  4  version, 1
//	12  4  0
//	16  8  generation
//	24  8  zxid
//	32  8  chain up to that
//	40  4  0
//	44  4  crc of bytes 0 to 43
//	48     content, as the state machine wrote it
//	-24 8  length of the content
//	-16 8  XXH64 of the content
//	-8  8  "QUOREND\n"
//
// # Generations
//
// A history belongs to a generation, counted from 0. Install puts a snapshot of
// the next generation in place; that rename is the moment in which the old history
// ends, for files of a lower generation do not count. So there is no moment with
// half of each.
//
// # Recovery
//
// Open reads the whole log and checks checksums, that zxids follow one another,
// and the chain. Then, if the newest segment does not end with a whole batch:
//
//   - Only zeros are there: nothing was being written.
//   - A later batch says that the damaged place had been durable: the disk has
//     lost what it had. Open refuses, as it does for damage in an older segment,
//     and changes nothing.
//   - Otherwise the rest may be a write that a crash interrupted, or synced data
//     that the disk has damaged; no one can tell in general. It is cut off, and
//     Epochs.Unsure is saved before that: this server may have lost what it
//     acknowledged, and does not vote until it has synchronized with a leader.
//     Cut.Unfinished marks the case that can be told: one batch of which the end
//     is missing, with nothing but preallocated zeros from there on. Its write did
//     not return, so nobody was told of it. Config.TrustUnfinished leaves such a
//     server sure of itself.
//
// A snapshot that is damaged is passed over when an older one, or the log from
// the very beginning, can take its place. An empty directory makes a server
// unsure, too, unless the configuration or a file named initialize says that it is
// to found a new ensemble (ZOOKEEPER-261). Log or snapshots without epochs are
// refused.
//
// What cannot be noticed is the loss of whole synced batches at the very end, or
// of the newest segment, without a trace.
package storage
