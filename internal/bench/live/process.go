package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The servers.
const (
	productServer         = "product"
	rawQueueServer        = "raw-queue"
	rawBatchServer        = "raw-batch"
	centrifugeServer      = "centrifuge"
	centrifugeDelayServer = "centrifuge-20ms"
	gqlgenServer          = "gqlgen"
)

// The protocols.
const (
	graphqlProtocol    = "graphql-transport-ws"
	centrifugeProtocol = "centrifuge"
)

// server is a server in a process of its own.
type server struct {
	kind     string
	protocol string
	url      string
	profiles string // begin of the names of files for profiles; empty for none
	cmd      *exec.Cmd
}

// start runs a server: the product's is a test binary, since it needs what is not exported; the others are this program.
func start(kind, product string, o offer) (*server, error) {
	s := &server{kind: kind, protocol: graphqlProtocol}
	if kind == productServer {
		s.cmd = exec.Command(product)
		s.cmd.Env = append(os.Environ(), fmt.Sprintf("BACKENDBOOK_BENCH_LIVE=%d %g %d", o.channels, o.rate, o.pad))
	} else {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		s.cmd = exec.Command(self, "-serve", kind, "-channels", strconv.Itoa(o.channels), "-rate", fmt.Sprint(o.rate), "-pad", strconv.Itoa(o.pad))
	}
	if strings.HasPrefix(kind, "centrifuge") {
		s.protocol = centrifugeProtocol
	}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("%s did not start: %w", kind, err)
	}
	s.url = "ws://" + strings.TrimSpace(addr) + "/graphql"
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// cpu is how many seconds of CPU the process has used, by the scheduler's count in nanoseconds: that of /proc/PID/stat is
// in hundredths of a second, too coarse for a server that has little to do.
func (s *server) cpu() (float64, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("%s: no /proc/PID/task/*/schedstat here, or the server is gone", s.kind)
	}
	var sum float64
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		ns, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseFloat(ns, 64)
		if err != nil {
			return 0, err
		}
		sum += n / 1e9
	}
	return sum, nil
}

// resident is how many bytes of memory the process holds.
func (s *server) resident() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, fmt.Errorf("%s: %q is no statm", s.kind, b)
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// sockets is how many the process has open.
func (s *server) sockets() (n int, err error) {
	folder := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	files, err := os.ReadDir(folder)
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(folder, f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n, err
}

// save fetches a profile of the server, if it is asked for, and takes as long as the profile does.
func (s *server) save(profile, query string) {
	if s.profiles == "" {
		return
	}
	at := "http" + strings.TrimSuffix(strings.TrimPrefix(s.url, "ws"), "graphql") + "debug/pprof/" + profile + query
	if err := download(at, s.profiles+"."+profile); err != nil {
		fmt.Fprintln(os.Stderr, "no profile:", err)
	}
}

func download(from, to string) error {
	resp, err := http.Get(from)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
