package main

import (
	"strconv"
	"strings"
	"time"
)

// offer is what a server is asked to publish.
type offer struct {
	channels int
	rate     float64 // messages a second on each channel
	pad      int     // bytes by which messages are longer than they need be
}

// tick is one message of one channel.
type tick struct {
	channel string
	seq     int
	at      time.Time
	id      string
	done    int // when it was published, in microseconds since 1970
	total   int
}

// run publishes on all channels at once, at the rate, until the process ends.
func (o offer) run(publish func(tick)) {
	period := time.Duration(float64(time.Second) / o.rate)
	pad := strings.Repeat("x", o.pad)
	next := time.Now()
	for n := 1; ; n++ {
		for i := range o.channels {
			c := "c" + strconv.Itoa(i)
			now := time.Now()
			publish(tick{channel: c, seq: n, at: now.UTC().Truncate(time.Millisecond), id: "job:imports-of-eu-west-" + c + pad, done: int(now.UnixMicro()), total: n * 7})
		}
		next = next.Add(period)
		time.Sleep(time.Until(next))
	}
}

// appendJSON writes what the GraphQL servers answer for the field.
func (t tick) appendJSON(b []byte) []byte {
	b = append(b, `{"channel":"`...)
	b = append(b, t.channel...)
	b = append(b, `","kind":"DELTA","seq":`...)
	b = strconv.AppendInt(b, int64(t.seq), 10)
	b = append(b, `,"at":"`...)
	b = t.at.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":{"id":"`...)
	b = append(b, t.id...)
	b = append(b, `","done":`...)
	b = strconv.AppendInt(b, int64(t.done), 10)
	b = append(b, `,"total":`...)
	b = strconv.AppendInt(b, int64(t.total), 10)
	return append(b, "}}"...)
}
