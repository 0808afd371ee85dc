// Command live measures this server's sockets beside what they are compared with, in one run on one machine: a raw
// gorilla/websocket server, centrifuge, and gqlgen with its own transport. `make bench-live` builds and runs it. It is a
// module of its own, so that none of these is a dependency of the product.
//
// Every server is a process of its own and publishes by itself, on the same channels at the same rate and messages of the
// same bytes. One client, this process, subscribes, checks the number of every message, and reads from /proc what CPU and
// memory the server has used. What counts are the ratios: the servers of a cell run in shuffled order in every round, and
// of the rounds the median is taken, so that what else the machine does meets all alike.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	var o offer
	var b bench
	kind := flag.String("serve", "", "be this server; used by the run itself")
	flag.IntVar(&o.channels, "channels", 1, "with -serve: how many channels publish")
	flag.Float64Var(&o.rate, "rate", 10, "with -serve: messages a second on each")
	flag.IntVar(&o.pad, "pad", 0, "with -serve: bytes added to each message")
	flag.StringVar(&b.product, "product", "", "the test binary of the package graph")
	flag.DurationVar(&b.window, "window", 3*time.Second, "how long each server is measured")
	flag.DurationVar(&b.shedIn, "shed", 13*time.Second, "how long stalled sockets are watched, once a round")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each server is measured")
	flag.StringVar(&b.only, "only", "", "names of the cells to run, separated by commas; empty for all")
	flag.StringVar(&b.profile, "profile", "", "folder that takes CPU and heap profiles of the product; they cost it something")
	flag.Parse()
	var err error
	if *kind != "" {
		err = serve(*kind, o)
	} else {
		err = b.run()
	}
	if errors.Is(err, errFlawed) {
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}
