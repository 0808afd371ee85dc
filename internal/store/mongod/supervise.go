package mongod

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
)

const (
	maxDeaths   = 5                      // in a row, each before the child was settled
	settled     = 30 * time.Second       // after so long a death counts as the first one again
	firstPause  = 100 * time.Millisecond // doubled with each death in a row
	lockPause   = 200 * time.Millisecond // between tries while a dying mongod still holds the files
	lockTries   = 50
	portTries   = 10
	rehostTries = 2
)

// up starts a child and brings it to the state in which it accepts writes. What can be mended is mended: files that a
// dying mongod still holds, and on the first start (mayMove) a port that somebody else has taken meanwhile.
func (s *Server) up(ctx context.Context, mayMove bool) (*child, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, ErrSlow)
	defer cancel()
	var held, moved, rehosted int
	for {
		c, err := s.try(ctx)
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, errDataLocked) && held < lockTries:
			held++
			if !clock.Sleep(ctx, lockPause) {
				return nil, context.Cause(ctx)
			}
		case errors.Is(err, errDataLocked):
			return nil, fmt.Errorf("%w (%w, process %s)", ErrInUse, err, s.dir.holder())
		case errors.Is(err, ErrPortTaken) && mayMove && moved < portTries:
			moved++
			if err := s.move(ctx); err != nil {
				return nil, err
			}
		case errors.Is(err, errRehosted) && rehosted < rehostTries:
			rehosted++
		default:
			return nil, err
		}
	}
}

// try is one start. On an error no process is left.
func (s *Server) try(ctx context.Context) (*child, error) {
	if err := s.dir.checkSpace(); err != nil {
		return nil, err
	}
	c, err := startChild(ctx, s.bin.path, s.cfg.args(s.dir, s.st.Port), s.dir)
	if err != nil {
		return nil, err
	}
	s.st.PID = c.pid()
	if err = saveState(s.dir, s.st); err == nil {
		err = s.ready(ctx, c)
	}
	if err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// ready waits until the child can be used, or has died, which explains more than any error of a connection.
func (s *Server) ready(ctx context.Context, c *child) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	r := replset{st: s.st, pid: c.pid(), key: s.key}
	err := r.up(ctx)
	if c.gone() {
		return c.exit().err()
	}
	return err
}

// move picks another port. The replica set learns of it in replset.
func (s *Server) move(ctx context.Context) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	s.log.WarnContext(ctx, "mongod_port_moved", "from", s.st.Port, "to", port)
	s.st.Port = port
	return nil
}

// supervise keeps a child running until ctx ends or it has died too often.
func (s *Server) supervise(ctx context.Context, c *child) {
	defer close(s.done)
	defer s.release()
	deaths := 0
	for {
		if s.guard(ctx, c) {
			deaths = 0
		}
		if !c.gone() {
			s.shutDown(ctx, c)
			return
		}
		if ctx.Err() != nil { // it died while we were about to stop it
			return
		}
		if c = s.revive(ctx, c.exit(), &deaths); c == nil {
			return
		}
		s.log.InfoContext(ctx, "mongod_restarted", "pid", c.pid(), "port", s.st.Port)
	}
}

// guard waits for the end of the child or of ctx, and tells whether the child had settled before.
func (s *Server) guard(ctx context.Context, c *child) (old bool) {
	t := time.NewTimer(settled)
	defer t.Stop()
	for {
		select {
		case <-c.done:
			return old
		case <-ctx.Done():
			return old
		case <-t.C:
			old = true
		}
	}
}

// revive starts a new child after pauses that double, on the same port, so that the URI stays good. It gives up, with
// the reason in s.err, after maxDeaths in a row; it gives nil also when ctx ends.
func (s *Server) revive(ctx context.Context, e exit, deaths *int) *child {
	cause, died := e.err(), true // else it did not even start
	for {
		if *deaths++; *deaths > maxDeaths {
			s.err = fmt.Errorf("mongod died %d times in a row, the last time: %w", *deaths, cause)
			return nil
		}
		pause := firstPause << (*deaths - 1)
		pause += mathrand.N(pause / 4) // several servers on a machine shall not start in step
		if died {
			s.log.ErrorContext(ctx, "mongod_died", "exit_code", e.Code, "signal", e.Signal, "reason", e.Reason, "deaths", *deaths, "restart_in_ms", pause.Milliseconds())
		} else {
			s.log.ErrorContext(ctx, "mongod_restart_failed", "error", cause.Error(), "deaths", *deaths, "restart_in_ms", pause.Milliseconds())
		}
		if !clock.Sleep(ctx, pause) {
			return nil
		}
		c, err := s.up(ctx, false)
		if err == nil {
			return c
		}
		if ctx.Err() != nil {
			return nil
		}
		cause, died = err, false
	}
}

// shutDown ends the child: politely first, and at once when Stop has no time left.
func (s *Server) shutDown(ctx context.Context, c *child) {
	if c.cmd.Process.Signal(syscall.SIGTERM) != nil { // Windows has no signals
		_ = s.askShutdown(context.WithoutCancel(ctx))
	}
	select {
	case <-c.done:
	case <-s.killNow:
		c.kill()
	}
	s.log.InfoContext(ctx, "mongod_stopped", "exit_code", c.cmd.ProcessState.ExitCode())
}

// askShutdown sends the shutdown command with the key's authority. That the server accepts the key also proves that it
// is ours, whatever process id or port a stale state.json names.
func (s *Server) askShutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a stranger on the port may never answer
	defer cancel()
	c, err := connect(s.st.host(), "local", "__system", s.key)
	if err != nil {
		return err
	}
	defer disconnect(ctx, c)
	return c.Database("admin").RunCommand(ctx, bson.D{{Key: "shutdown", Value: 1}, {Key: "force", Value: true}}).Err()
}

// dismissOrphan makes a mongod that outlived its owner go. We hold the folder's lock, so nobody supervises it. On Linux
// the kernel has told it to end and waiting is enough; elsewhere it is asked. A stranger on the port stays: up then moves.
func (s *Server) dismissOrphan(ctx context.Context) {
	if !s.dir.unclean() || s.portFreed(ctx, time.Second) {
		return
	}
	err := s.askShutdown(ctx)
	s.log.WarnContext(ctx, "mongod_orphan_asked_to_end", "port", s.st.Port, "answer", fmt.Sprint(err)) // often the cut socket
	s.portFreed(ctx, 3*time.Second)
}

// portFreed waits until nobody listens on our port, at most for d.
func (s *Server) portFreed(ctx context.Context, d time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for probe(ctx, s.st.Port) != nil {
		if !clock.Sleep(ctx, poll) {
			return false
		}
	}
	return true
}

// release lets the next owner in. The state goes first: it must not be written by somebody who has no lock.
func (s *Server) release() {
	s.st.PID, s.st.Owner = 0, 0
	if err := errors.Join(saveState(s.dir, s.st), s.lock.Close()); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("mongod_release_failed", "error", err.Error()) // the folder was removed, or its disk is full
	}
}
