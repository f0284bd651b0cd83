package cluster

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports from portLeast on are tried; Linux takes ephemeral ports from 32768 up.
const (
	portLeast = 10000
	portCount = 22000
)

var (
	portsMu   sync.Mutex
	portsUsed = map[int]bool{}
)

// FreePorts returns n ports, next to each other, that nobody listens on and
// that this process has not been given before.
func FreePorts(n int) ([]int, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		first := portLeast + rand.IntN(portCount-n)
		ports := make([]int, 0, n)
		for port := first; port < first+n && !portsUsed[port] && canListen(port); port++ {
			ports = append(ports, port)
		}
		if len(ports) < n {
			continue
		}
		for _, port := range ports {
			portsUsed[port] = true
		}
		return ports, nil
	}
	return nil, errors.New("no free ports found")
}

func canListen(port int) bool {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	defer l.Close()
	return true
}
