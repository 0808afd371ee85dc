package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/cli"
	"github.com/backendbook/backendbook/internal/config"
)

// Process is what the operating system gives a program.
type Process struct {
	Args    []string // without the program's name
	Environ []string
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the work failed
	exitUsage  = 2 // the question made no sense: flags, variables or the configuration file
)

// Main runs the program and gives its exit code. The first SIGINT or SIGTERM ends the work in an orderly way, the second
// ends the process at once.
func Main(p Process) int {
	ctx, stop := onSignals(context.Background(), p.Err)
	defer stop()
	return Run(ctx, p)
}

// Run is Main without signals.
func Run(ctx context.Context, p Process) int {
	loaded, err := config.Load(config.Input{
		Args: p.Args, Environ: p.Environ, Out: p.Out, Commands: []any{&cli.Commands{}}, Version: Version(),
	})
	var usage *config.UsageError
	switch {
	case errors.Is(err, config.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		complain(p.Err, usage)
		return exitUsage
	case err != nil:
		complain(p.Err, fmt.Errorf("error: %w", err))
		return exitFailed
	}
	calm := loaded.Log.Level
	if loaded.IsDefault("log.level") {
		calm = "warn"
	}
	env := &cli.Env{
		Host: &host{
			cfg: loaded, log: newLogger(p.Err, loaded.Log.Format, loaded.Log.Level), calm: newLogger(p.Err, loaded.Log.Format, calm), term: p.Out,
		}, Out: p.Out, Err: p.Err, In: p.In, Version: Version(),
	}
	if err := loaded.Run(actor.With(ctx, actor.System()), env); err != nil {
		complain(p.Err, fmt.Errorf("error: %w", err))
		if cli.IsUsage(err) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// complain tells the person at the terminal.
func complain(w io.Writer, err error) { _, _ = fmt.Fprintln(w, err) }

// sameSignal is how soon after the first signal another one is the same key press, delivered by the terminal and by a
// wrapper such as npm or timeout.
const sameSignal = 300 * time.Millisecond

// onSignals gives a context that the first signal ends. The second one exits.
func onSignals(ctx context.Context, term io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var first time.Time
		for {
			select {
			case <-over:
				return
			case s := <-signals:
				switch now := time.Now(); {
				case first.IsZero():
					first = now
					cancel()
				case now.Sub(first) > sameSignal:
					complain(term, fmt.Errorf("%s again: leaving at once", s))
					os.Exit(exitFailed)
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		<-done
		cancel()
	}
}

// Version is the version of the program: the module's, or the commit it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (version == "" || version == "(devel)") {
			version = s.Value[:min(len(s.Value), 12)]
		}
	}
	if version == "" || version == "(devel)" {
		return "development"
	}
	return version
}
