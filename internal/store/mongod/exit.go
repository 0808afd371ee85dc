package mongod

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// exit is how a child ended, in the words an operator needs.
type exit struct {
	Code   int    // -1 after a signal
	Signal string // such as "killed"; empty after an ordinary exit
	Reason string // the last fatal line of the log, or what the child printed; may be empty
	raw    string // everything there is to search
}

// exit tells how the child ended. Call it only when the child is gone.
func (c *child) exit() exit {
	ps := c.cmd.ProcessState
	e := exit{Code: ps.ExitCode()}
	if ws, ok := ps.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal().String()
	}
	printed, logged := c.out.String(), readLog(c.logPath, c.logFrom)
	e.raw = printed + "\n" + logged
	e.Reason = cut(cmp.Or(fatalLine(logged), fatalLine(printed), complaint(printed)))
	return e
}

// String is the status and the reason in one line.
func (e exit) String() string {
	s := fmt.Sprintf("exit code %d", e.Code)
	if e.Signal != "" {
		s = "signal: " + e.Signal
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// The exit codes of mongod, and of the loader, that have a meaning of their own.
const (
	codeBadOptions = 2
	codeOldFiles   = 62
	codeLocked     = 100
	codeLoader     = 127
)

// err names the cause, so that the message can name the way out.
func (e exit) err() error {
	has := func(s string) bool { return strings.Contains(e.raw, s) }
	cause := ErrCrashed
	switch {
	case e.Code == codeLoader, has("error while loading shared libraries"), has("CURL_OPENSSL_4"):
		cause = ErrMissingLibrary
	case has("version `GLIBC"), has("Library not loaded"):
		cause = ErrPlatform
	case has("Address already in use"):
		cause = ErrPortTaken
	case e.Code == codeLocked, has("DBPathInUse"):
		cause = errDataLocked
	case e.Code == codeOldFiles:
		cause = ErrDataFiles
	case has("No space left on device"):
		cause = ErrDiskFull
	case e.Signal == syscall.SIGILL.String():
		cause = ErrCPU
	case has("Permission denied"), has("Read-only file system"):
		cause = ErrNotWritable
	case e.Code == codeBadOptions:
		cause = ErrBinary
	}
	return fmt.Errorf("%w (%s)", cause, e)
}

// runError is err's counterpart for a command that was run to its end.
func runError(err error, output string) error {
	e := exit{Reason: cut(complaint(output)), raw: output}
	if x, ok := err.(*exec.ExitError); ok { //nolint:errorlint // straight from exec, never wrapped
		e.Code = x.ExitCode()
		if ws, ok := x.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			e.Signal = ws.Signal().String()
		}
	}
	return e.err()
}

// readLog gives the end of this run's part of the log.
func readLog(path string, from int64) string {
	const window = 256 << 10   // a backtrace is long, and the reason stands before it
	file, err := os.Open(path) //nolint:gosec // in our own folder
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	from = max(min(from, info.Size()), info.Size()-window)
	raw, _ := io.ReadAll(io.NewSectionReader(file, from, window)) // what was read before an error still helps
	return string(raw)
}

// fatalLine is the message of the first fatal line, else of the last error line. mongod logs a JSON object per line; a
// crash logs a fatal line with the reason, then fatal lines that only say that it aborts, then a backtrace.
func fatalLine(log string) string {
	var failure string
	for line := range strings.Lines(log) {
		var l struct {
			Severity string         `json:"s"`
			Msg      string         `json:"msg"`
			Attr     map[string]any `json:"attr"`
		}
		if json.Unmarshal([]byte(line), &l) != nil {
			continue
		}
		text := l.Msg
		if v, ok := l.Attr["error"]; ok {
			raw, _ := json.Marshal(v) // came from JSON, so it goes back
			text += ": " + strings.Trim(string(raw), `"`)
		}
		switch l.Severity {
		case "E":
			failure = text
		case "F":
			return text
		}
	}
	return failure
}

// complaint is the last line of plain text that speaks of an error, else the last line. Before its log is open, mongod
// prints log lines, and the harmless ones say nothing.
func complaint(s string) string {
	var failure, last string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '{' {
			continue
		}
		last = line
		if strings.Contains(line, "rror") {
			failure = line
		}
	}
	return cmp.Or(failure, last)
}

// cut bounds a line that goes into an error and a log.
func cut(s string) string {
	const limit = 400
	s = strings.ReplaceAll(s, "\n", " ")
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
