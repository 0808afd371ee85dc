package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

// bar is a progress bar; where nobody looks at a terminal it is a line now and then.
type bar struct {
	w        io.Writer
	terminal bool
	now      clock.Clock
	since    time.Time
	last     time.Time
	width    int
}

func newBar(w io.Writer, now clock.Clock) *bar {
	return &bar{w: w, terminal: isTerminal(w), now: now, since: now()}
}

// lineEvery is how often there is a line where there is no terminal.
const lineEvery = 5 * time.Second

// show tells how much is done, from 0 to 1, and how many things that are.
func (b *bar) show(part float64, n int64, things string) {
	now := b.now()
	if !b.terminal && now.Sub(b.last) < lineEvery {
		return
	}
	b.last = now
	part = min(part, 1)
	left := ""
	if spent := now.Sub(b.since); part > 0.01 && part < 1 {
		left = ", " + (time.Duration(float64(spent)/part) - spent).Round(time.Second).String() + " left"
	}
	rate := float64(n) / max(now.Sub(b.since).Seconds(), 0.001)
	text := fmt.Sprintf("%3.0f %%, %d %s, %.0f a second%s", 100*part, n, things, rate, left)
	if !b.terminal {
		_, _ = fmt.Fprintln(b.w, text)
		return
	}
	const cells = 30
	full := int(part * cells)
	text = "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + text
	_, _ = fmt.Fprintf(b.w, "\r%-*s", b.width, text)
	b.width = len(text)
}

// end lets what follows begin on a line of its own.
func (b *bar) end() {
	if b.width > 0 {
		_, _ = fmt.Fprintln(b.w)
		b.width = 0
	}
}

func isTerminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	if !isFile {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
