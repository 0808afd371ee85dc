package mongod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

const (
	// startLimit bounds a start: journal replay of a large database, and 31 s of mongod's own should rehost not help.
	startLimit = 90 * time.Second
	// attachLimit bounds how long a second process waits for the first one's start.
	attachLimit = 60 * time.Second
)

// Server is a mongod that this process supervises, or one that it has joined. It is safe for concurrent use.
type Server struct {
	cfg      Config
	log      *slog.Logger
	dir      folder
	bin      binary
	key      string
	st       state // port, user and password never change once Start has returned; the rest belongs to supervise
	attached bool
	lock     io.Closer

	uri     string
	version string
	cancel  context.CancelFunc // asks supervise to end
	killNow chan struct{}      // closed when a stop may not wait any longer
	once    sync.Once
	done    chan struct{}
	err     error // written before done is closed, read after
}

// Start finds a mongod, fetches it if it must and may, starts it and returns when it is a primary that accepts writes
// of its user: 1 to 2 s, plus 3 s for a download. ctx bounds the start alone; the server then runs until Stop.
//
// Errors: every Err of this package, each with its particulars, or the end of ctx.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err := openFolder(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, dir: dir, killNow: make(chan struct{}), done: make(chan struct{})}
	if err := s.acquire(ctx); err != nil {
		return nil, err
	}
	if s.attached {
		return s, nil
	}
	if err := s.launch(ctx); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// acquire makes this process the owner of the folder, or attaches it to the owner's server, whichever is possible first.
func (s *Server) acquire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attachLimit)
	defer cancel()
	for {
		lock, err := tryLock(s.dir.lock())
		if err == nil {
			s.lock = lock
			return nil
		}
		if !errors.Is(err, errLocked) {
			return err
		}
		st, _ := readState(s.dir) // none yet: the owner is still starting
		if !s.cfg.Attach {
			return fmt.Errorf("%w (%s is held by process %d)", ErrInUse, s.dir, st.Owner)
		}
		if st.Owner != 0 && s.attach(ctx, st) {
			return nil
		}
		if !clock.Sleep(ctx, 5*poll) {
			return fmt.Errorf("%w (%s is held by process %d, whose mongod does not answer: %w)",
				ErrInUse, s.dir, st.Owner, context.Cause(ctx))
		}
	}
}

func (s *Server) attach(ctx context.Context, st state) bool {
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	if answers(ctx, st) != nil {
		return false
	}
	s.st, s.attached, s.uri, s.version = st, true, st.uri(), st.Version
	s.cancel = func() {}
	return true
}

// launch prepares everything and starts the first child.
func (s *Server) launch(ctx context.Context) (err error) {
	if s.bin, err = locate(ctx, s.cfg, s.log); err != nil {
		return err
	}
	if err = s.dir.checkSpace(); err != nil {
		return err
	}
	if s.key, err = loadKey(s.dir); err != nil {
		return err
	}
	if s.st, err = loadState(ctx, s.dir); err != nil {
		return err
	}
	s.st.Owner, s.st.Version = os.Getpid(), s.bin.version
	raiseFileLimit()
	s.dismissOrphan(ctx)
	c, err := s.up(ctx, true)
	if err != nil {
		return err
	}
	s.uri, s.version = s.st.uri(), s.st.Version
	s.log.InfoContext(ctx, "mongod_started", "pid", c.pid(), "port", s.st.Port, "version", s.version, "data_dir", s.cfg.DataDir)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.supervise(running, c)
	return nil
}

// URI is the connection string, with the random user and its password: never log it. It stays the same until Stop.
func (s *Server) URI() string { return s.uri }

// Attached reports whether another process owns the mongod. Stop then leaves it running, and Done tells nothing of it.
func (s *Server) Attached() bool { return s.attached }

// Version is the version of the binary, such as "6.0.5".
func (s *Server) Version() string { return s.version }

// Done is closed when the supervision has ended for good: after Stop, or when mongod keeps dying.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err is why the supervision ended: nil before Done is closed and after Stop, else an error that wraps ErrCrashed or
// the cause of the last death, such as ErrDiskFull.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends mongod in an orderly way (about 1 s) and waits for it; when ctx ends first, it is killed and the error says
// so. Nothing is left running either way. Disconnect the clients before. Calling it again, or on an attached server, is
// harmless.
func (s *Server) Stop(ctx context.Context) error {
	if s.attached {
		s.once.Do(func() { close(s.done) })
		return nil
	}
	s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.once.Do(func() { close(s.killNow) })
	<-s.done
	return fmt.Errorf("mongod did not stop in time and was killed: %w", context.Cause(ctx))
}
