package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

const (
	epochsMagic   = "QUOREPO\n"
	epochsVersion = 1
	epochsBytes   = 40
	epochsName    = "epochs"
	unsureFlag    = 1
)

// Epochs are a server's promises, one record so that they change together.
type Epochs = zab.Epochs

func validateEpochs(e Epochs) error {
	if e.Current < 0 || e.Accepted < e.Current || e.Accepted > ensemble.MaxEpoch {
		return fmt.Errorf("accepted epoch %d and current epoch %d: want 0 <= current <= accepted <= %d",
			e.Accepted, e.Current, ensemble.MaxEpoch)
	}
	return nil
}

// encodeEpochs encodes the epochs of a server; owner 0 is nobody in particular.
func encodeEpochs(e Epochs, owner ensemble.ServerID) []byte {
	var flags uint32
	if e.Unsure {
		flags |= unsureFlag
	}
	b := make([]byte, 0, epochsBytes)
	b = append(b, epochsMagic...)
	b = binary.BigEndian.AppendUint32(b, epochsVersion)
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Accepted))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Current))
	b = binary.BigEndian.AppendUint32(b, uint32(owner))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseEpochs(b []byte) (Epochs, ensemble.ServerID, error) {
	var e Epochs
	if err := checkHead(b, epochsBytes, epochsMagic, epochsVersion, "epochs file"); err != nil {
		return e, 0, err
	}
	if len(b) != epochsBytes {
		return e, 0, fmt.Errorf("the file has %d bytes, want %d", len(b), epochsBytes)
	}
	flags := binary.BigEndian.Uint32(b[12:])
	if flags&^unsureFlag != 0 {
		return e, 0, fmt.Errorf("unknown flags %#x", flags)
	}
	e.Accepted = ensemble.Epoch(binary.BigEndian.Uint64(b[16:]))
	e.Current = ensemble.Epoch(binary.BigEndian.Uint64(b[24:]))
	e.Unsure = flags&unsureFlag != 0
	return e, ensemble.ServerID(binary.BigEndian.Uint32(b[32:])), validateEpochs(e)
}
