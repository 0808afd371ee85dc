package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/config"
	"github.com/backendbook/backendbook/internal/httpapi"
)

// Listen opens the addresses. Clients that come now wait until Run takes them.
func (a *App) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	var err error
	if a.public, err = lc.Listen(ctx, "tcp", a.cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if !a.cfg.HasInternal() {
		return nil
	}
	if a.internal, err = lc.Listen(ctx, "tcp", a.cfg.InternalListen); err != nil {
		a.closeListeners()
		return fmt.Errorf("internal listener (internal-listen): %w", err)
	}
	return nil
}

func (a *App) closeListeners() {
	for _, l := range []net.Listener{a.public, a.internal} {
		if l != nil {
			_ = l.Close() // closed already when Run has ended
		}
	}
}

// Tune sets what the runtime is to do in a process that serves: how much memory it may trade for work, and a processor more
// for each password that is hashed at once, so that a hash, which the system lets wait for everybody else, never holds one
// that requests are waiting for.
func Tune(cfg *config.Config) {
	if cfg.GCPercent > 0 {
		debug.SetGCPercent(cfg.GCPercent)
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + cfg.ForAccount().Slots())
}

// Run serves until ctx ends or something the server cannot do without has failed, and then drains: the server says that
// it is not ready, sockets are told to come back elsewhere, requests that have begun are finished. Call Close afterwards.
func (a *App) Run(ctx context.Context) error {
	base, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	failed := make(chan error, 2)
	servers := a.serve(base, failed)
	a.log.InfoContext(ctx, "listening", "address", a.public.Addr().String(), "public_url", a.cfg.PublicURL, "version", Version())

	var dead <-chan struct{}
	if a.mongod != nil {
		dead = a.mongod.Done()
	}
	var err error
	select {
	case err = <-failed:
	case <-dead:
		err = fmt.Errorf("the managed MongoDB: %w", a.mongod.Err())
	case <-ctx.Done():
		a.log.InfoContext(ctx, "draining")
	}
	return errors.Join(err, a.drain(base, abandon, servers))
}

// serve starts the HTTP servers.
func (a *App) serve(base context.Context, failed chan<- error) []*http.Server {
	var servers []*http.Server
	for listener, handler := range map[net.Listener]http.Handler{a.public: a.http.Handler(), a.internal: a.http.InternalHandler()} {
		if listener == nil {
			continue
		}
		srv := httpapi.NewHTTPServer(base, handler, a.log)
		servers = append(servers, srv)
		a.workers.Go(func() {
			if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	return servers
}

// lastWait is how long requests have to notice that they were abandoned.
const lastWait = 500 * time.Millisecond

// drain lets everything that has begun come to its end. What has not by then is cut, and that is an error.
func (a *App) drain(base context.Context, abandon func(), servers []*http.Server) error {
	a.health.Drain()
	clock.Sleep(base, a.cfg.DrainDelay)
	ctx, cancel := context.WithTimeout(base, a.cfg.DrainTime)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { a.sockets.Drain(ctx) }) // the servers know nothing of what was hijacked
	errs := make([]error, len(servers))
	for i, srv := range servers {
		wg.Go(func() {
			err := srv.Shutdown(ctx)
			if err == nil {
				return
			}
			errs[i] = fmt.Errorf("requests still ran after %s and were cut: %w", a.cfg.DrainTime, err)
			abandon()
			last, cancel := context.WithTimeout(context.WithoutCancel(base), lastWait)
			defer cancel()
			_ = srv.Shutdown(last)
			_ = srv.Close()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// reachable is an address to connect to: a listener on every interface is reached as localhost.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
