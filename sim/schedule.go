package sim

import "time"

// event is something that will happen at a time. It belongs to a process, or to
// nobody; one whose process is gone by then does not happen.
type event struct {
	at   time.Duration
	seq  uint64
	proc *proc
	do   func()
}

// schedule is a queue of events by time; those of one time keep the order in
// which they were planned.
type schedule struct {
	heap []event
	seq  uint64
}

func (s *schedule) add(at time.Duration, p *proc, do func()) {
	s.seq++
	s.heap = append(s.heap, event{at, s.seq, p, do})
	i := len(s.heap) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if !s.before(i, parent) {
			break
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

func (s *schedule) before(i, j int) bool {
	a, b := &s.heap[i], &s.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

// next returns the time of the next event, and false if there is none.
func (s *schedule) next() (time.Duration, bool) {
	if len(s.heap) == 0 {
		return 0, false
	}
	return s.heap[0].at, true
}

func (s *schedule) take() event {
	first := s.heap[0]
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap[last] = event{}
	s.heap = s.heap[:last]
	for i := 0; ; {
		least := i
		for c := 4*i + 1; c <= 4*i+4 && c < last; c++ {
			if s.before(c, least) {
				least = c
			}
		}
		if least == i {
			return first
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
