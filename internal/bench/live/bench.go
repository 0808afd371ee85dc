package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// errFlawed says that a socket failed, or that a message was lost or came twice.
var errFlawed = errors.New("a socket failed, or a message was lost or came twice")

// bench is one run.
type bench struct {
	product string
	window  time.Duration
	shedIn  time.Duration
	rounds  int
	only    string
	profile string // folder for profiles of the product; empty for none

	results map[string][]outcome // by cell and entry
	flawed  bool
}

// entry is one server of a cell.
type entry struct {
	name string
	kind string
	load load
	offer
}

// cell is what is offered to several servers in turn.
type cell struct {
	name, title string
	entries     []entry
}

// cells are what is measured. The first three offer 20,000 messages a second.
func (b *bench) cells() []cell {
	each := func(l load, o offer, kinds ...string) (es []entry) {
		for _, k := range kinds {
			es = append(es, entry{name: k, kind: k, load: l, offer: o})
		}
		return es
	}
	l := func(sockets, channels int) load { return load{sockets: sockets, channels: channels, window: b.window} }
	spread, together, shed, quiet := l(1000, 1000), l(200, 20), l(45, 1), l(1000, 1)
	spread.spread, together.together = true, true
	shed.stalled, shed.window = 5, b.shedIn
	quiet.window = time.Second
	many := quiet
	many.channels = 11
	large := offer{1, 50, 32 << 10} // or the kernel would take all of it for those who do not read
	return []cell{
		{"broadcast", "1,000 sockets, one channel, 20/s", each(l(1000, 1), offer{1, 20, 0},
			productServer, rawQueueServer, rawBatchServer, centrifugeServer, gqlgenServer)},
		{"channels", "200 sockets, 20 channels on each, 5/s", append(each(l(200, 20), offer{20, 5, 0},
			productServer, rawBatchServer, centrifugeServer, centrifugeDelayServer, gqlgenServer),
			entry{"product, one operation", productServer, together, offer{20, 5, 0}})},
		{"unshared", "1,000 sockets, each its own channel, 20/s", each(spread, offer{1000, 20, 0},
			productServer, rawBatchServer, centrifugeServer, gqlgenServer)},
		{"stalled", "45 sockets, 32 KiB 50/s, beside them none or 5 that do not read", []entry{
			{"none", productServer, l(45, 1), large}, {"stalled", productServer, shed, large},
		}},
		{"crowd", "10,000 sockets, one channel, 1/s", each(l(10_000, 1), offer{1, 1, 0}, productServer, rawQueueServer)},
		{"memory", "1,000 sockets, 1/s", append(each(quiet, offer{1, 1, 0}, productServer, rawQueueServer, gqlgenServer),
			entry{"product, 11 subscriptions", productServer, many, offer{11, 1, 0}},
			entry{"gqlgen, 11 subscriptions", gqlgenServer, many, offer{11, 1, 0}})},
	}
}

func (b *bench) run() error {
	b.results = map[string][]outcome{}
	cells := slices.DeleteFunc(b.cells(), func(c cell) bool {
		return b.only != "" && !slices.Contains(strings.Split(b.only, ","), c.name)
	})
	for round := range b.rounds {
		for _, c := range cells {
			rand.Shuffle(len(c.entries), func(i, j int) { c.entries[i], c.entries[j] = c.entries[j], c.entries[i] })
			for _, e := range c.entries {
				if err := b.measure(round, c, e); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range b.cells() {
		if len(b.results[c.name+" "+c.entries[0].name]) > 0 {
			b.table(c)
		}
	}
	b.goals()
	if b.flawed {
		return errFlawed
	}
	return nil
}

func (b *bench) measure(round int, c cell, e entry) error {
	s, err := start(e.kind, b.product, e.offer)
	if err != nil {
		return err
	}
	defer s.stop()
	if b.profile != "" && e.kind == productServer {
		s.profiles = filepath.Join(b.profile, c.name+"-"+strings.NewReplacer(", ", "-", " ", "-").Replace(e.name))
	}
	o, err := e.load.run(s)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d/%d %s, %s: %.0f/s, %.2f CPU-s, p99 %.0f ms, %.1f KiB a socket\n",
		round+1, b.rounds, c.name, e.name, float64(o.delivered)/o.seconds, o.cpu, o.p99(), e.perSocket(o))
	if o.failed+o.lost+o.doubled > 0 {
		b.flawed = true
		fmt.Fprintf(os.Stderr, "FLAWED: %d sockets failed (%s), %d messages lost, %d doubled\n", o.failed, o.why, o.lost, o.doubled)
	}
	key := c.name + " " + e.name
	b.results[key] = append(b.results[key], o)
	return nil
}

// perSocket is how much the server has grown for each socket, in KiB.
func (e entry) perSocket(o outcome) float64 {
	return float64(o.after-o.before) / 1024 / float64(e.load.sockets+e.load.stalled)
}

// of is the median of a figure over the rounds, and the least and the most.
func (b *bench) of(key string, figure func(outcome) float64) (mid, low, high float64) {
	var all []float64
	for _, o := range b.results[key] {
		all = append(all, figure(o))
	}
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2, all[0], all[len(all)-1]
}

// table prints a cell, in Markdown.
func (b *bench) table(c cell) {
	fmt.Printf("\n%s\n\n", c.title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(w, "| server\t| messages/s\t| thousands per CPU-s\t| range\t| p99, ms\t| KiB a socket\t|")
	_, _ = fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, e := range c.entries {
		key := c.name + " " + e.name
		rate, _, _ := b.of(key, func(o outcome) float64 { return float64(o.delivered) / o.seconds })
		per, low, high := b.of(key, func(o outcome) float64 { return o.perCPU() / 1000 })
		p99, _, _ := b.of(key, outcome.p99)
		kib, _, _ := b.of(key, e.perSocket)
		_, _ = fmt.Fprintf(w, "| %s\t| %.0f\t| %.1f\t| %.1f–%.1f\t| %.0f\t| %.1f\t|\n", e.name, rate, per, low, high, p99, kib)
	}
	_ = w.Flush()
}

// goals prints what was promised and what came of it. A goal whose cell did not run is left out.
func (b *bench) goals() {
	fmt.Print("\n")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	_, _ = fmt.Fprintln(w, "| goal\t| measured\t| promised\t| \t|\n|---\t|---\t|---\t|---\t|")
	say := func(name string, got, want float64, most bool, format string) {
		word, sign := "met", "≥"
		if most {
			sign = "≤"
		}
		if (got < want) != most && got != want {
			word = "MISSED"
		}
		_, _ = fmt.Fprintf(w, "| %s\t| "+format+"\t| %s "+format+"\t| %s\t|\n", name, got, sign, want, word)
	}
	perCPU := func(key string) float64 { m, _, _ := b.of(key, outcome.perCPU); return m }
	for _, g := range []struct {
		cell, to string
		want     float64
	}{
		{"broadcast", gqlgenServer, 2.5},
		{"broadcast", centrifugeServer, 1.2},
		{"broadcast", rawQueueServer, 0.9},
		{"broadcast", rawBatchServer, 0.9},
		{"channels", gqlgenServer, 12},
		{"channels", centrifugeServer, 2},
		{"unshared", gqlgenServer, 1.2},
	} {
		if base := perCPU(g.cell + " " + g.to); base > 0 {
			say(g.cell+": messages per CPU-second, to "+g.to, perCPU(g.cell+" "+productServer)/base, g.want, false, "%.2f")
		}
	}
	grown := func(name string) float64 {
		m, _, _ := b.of("memory "+name, func(o outcome) float64 { return float64(o.after-o.before) / 1024 / 1000 })
		return m
	}
	if base := grown(rawQueueServer); base > 0 {
		one := grown(productServer)
		say("memory of a socket, to raw-queue", one/base, 1.5, true, "%.2f")
		say("memory of one more subscription, KiB", (grown("product, 11 subscriptions")-one)/10, 2, true, "%.2f")
	}
	if clear, _, _ := b.of("stalled none", perSecond); clear > 0 {
		others, _, _ := b.of("stalled stalled", perSecond)
		say("rate of the others beside 10 % stalled, to without", others/clear, 0.98, false, "%.3f")
		shed, _, _ := b.of("stalled stalled", func(o outcome) float64 { return float64(o.shed) })
		say("stalled sockets cut, of 5", shed, 5, false, "%.0f")
	}
	_ = w.Flush()
}

func perSecond(o outcome) float64 { return float64(o.delivered) / o.seconds }
