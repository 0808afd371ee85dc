package chaos

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands before a member of the replica set: everybody, the other members included, reaches it through here.
type proxy struct {
	ln     net.Listener
	target string
	cut    atomic.Bool  // connections are refused
	delay  atomic.Int64 // of each piece that passes, in nanoseconds

	mu   sync.Mutex
	open map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: target, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = ln.Close(); p.hangUp() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p
}

func (p *proxy) address() string { return p.ln.Addr().String() }

// hangUp ends all connections.
func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

// keep notes a connection, unless none may be.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut.Load() {
		return false
	}
	p.open[c] = true
	return true
}

func (p *proxy) pass(in net.Conn) {
	defer func() { _ = in.Close() }()
	out, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	if !p.keep(in) || !p.keep(out) {
		return
	}
	go p.pump(in, out)
	p.pump(out, in)
	p.mu.Lock()
	delete(p.open, in)
	delete(p.open, out)
	p.mu.Unlock()
}

// pump passes on what comes from one end, and hangs up on both with it.
func (p *proxy) pump(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if d := p.delay.Load(); d > 0 {
			time.Sleep(time.Duration(d)) // the fault itself: nothing is waited for
		}
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
