package live

import "time"

// pace are the followers of a source that are told at most once in a time. They are told together, so that they share
// what they are told.
type pace struct {
	every     time.Duration
	followers map[*follower]struct{}
	timer     *time.Timer
	rests     bool // they were told less than that time ago
}

// paced adds a follower to those of its pace.
func (s *source) paced(f *follower) {
	p := s.paces[f.every]
	if p == nil {
		p = &pace{every: f.every, followers: map[*follower]struct{}{}}
		p.timer = time.AfterFunc(f.every, func() { s.put(order{rested: p}) })
		p.timer.Stop()
		s.paces[f.every] = p
	}
	p.followers[f] = struct{}{}
}

// pace tells the followers of a pace unless they rest; then they rest.
func (s *source) pace(p *pace) {
	if p.rests || s.paces[p.every] != p {
		return
	}
	told := false
	for f := range p.followers {
		told = told || (f.seq != s.seq && !f.lagged)
		s.catchUp(f)
	}
	if told {
		p.rests = true
		p.timer.Reset(p.every)
	}
}
