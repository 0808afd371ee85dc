// Package track sends events to a Backend Book server: from any Go program, with nothing but the standard library.
//
// [Client.Track] queues an event and returns at once; the client sends what is queued in batches, waits with growing pauses
// while the server is away or busy, and never loses or doubles an event by that: each has an id, and the server stores an id
// once. [Client.Close] sends what is left.
//
//	events, err := track.New(ctx, track.Config{URL: "https://book.example.org", Key: os.Getenv("INGEST_KEY")})
//	…
//	defer func() { _ = events.Close(ctx) }()
//	_ = events.Track(track.Event{Name: "order.paid", Actor: user.ID, Values: map[string]float64{"total": 12.5}})
//
// The key is an ingest key of a source without origins, or an access key whose owner may store events.
package track

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MaxBatch is how many events the server stores in one write.
const MaxBatch = 1000

// Errors of a client.
var (
	ErrFull   = errors.New("track: the queue is full")
	ErrClosed = errors.New("track: the client is closed")
	ErrEvent  = errors.New("track: the event cannot be sent")
)

// Event is one event. The server says what the members may hold: docs/analytics.md.
type Event struct {
	ID      string             `json:"id"` // empty for one the client makes
	Name    string             `json:"name"`
	At      time.Time          `json:"at"` // zero for now
	Actor   string             `json:"actor,omitempty"`
	Session string             `json:"session,omitempty"`
	Consent string             `json:"consent,omitempty"` // GRANTED or DENIED; empty for GRANTED
	Dims    map[string]string  `json:"dims,omitempty"`
	Values  map[string]float64 `json:"values,omitempty"`
}

// Config of a client. Zero values mean the defaults written beside them.
type Config struct {
	URL   string        // of the server, such as https://book.example.org
	Key   string        // ingest key or access key
	HTTP  *http.Client  // default one that gives up after 30 s
	Batch int           // events in a request, default 500, at most 1,000
	Every time.Duration // the longest an event waits for company, default 1 s
	Queue int           // events that may wait, default 10,000
	Pause time.Duration // after the first failure, doubled with each, at most 30 s; default 200 ms
	// OnError is told of what is lost: events the server refuses, and what was not sent before the end. It is called by the
	// goroutine that sends; nil for nobody.
	OnError func(error)
}

const maxPause = 30 * time.Second

func (c Config) filled() (Config, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return c, fmt.Errorf("track: the URL %q is not that of a server", c.URL)
	}
	c.URL = strings.TrimSuffix(c.URL, "/") + "/events"
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 30 * time.Second}
	}
	if c.Batch < 1 || c.Batch > MaxBatch {
		c.Batch = 500
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.Queue < 1 {
		c.Queue = 10_000
	}
	if c.Pause <= 0 {
		c.Pause = 200 * time.Millisecond
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return c, nil
}

// Client sends events. It is safe for concurrent use.
type Client struct {
	cfg  Config
	stop context.CancelFunc // of the requests
	full chan struct{}      // told that a batch is together
	now  chan chan struct{} // told to send all there is; the answer is closed when that is done
	done chan struct{}      // closed when nothing will be sent any more

	mu     sync.Mutex
	queue  [][]byte // events as lines
	closed bool
	ending chan struct{} // closed with it
}

// New makes a client whose requests end with ctx. Close it.
func New(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	c := &Client{
		cfg: cfg, stop: stop, full: make(chan struct{}, 1), now: make(chan chan struct{}), done: make(chan struct{}), ending: make(chan struct{}),
	}
	go c.run(ctx)
	return c, nil
}

// Track queues an event and does not wait for anything. Errors: ErrFull, ErrClosed, and ErrEvent for one that is no JSON,
// such as a value that is not finite.
func (c *Client) Track(e Event) error {
	if e.ID == "" {
		e.ID = newID()
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrEvent, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case len(c.queue) >= c.cfg.Queue:
		return ErrFull
	}
	if c.queue = append(c.queue, append(line, '\n')); len(c.queue) >= c.cfg.Batch {
		select {
		case c.full <- struct{}{}:
		default: // it knows
		}
	}
	return nil
}

func newID() string {
	var b [16]byte
	_, _ = crand.Read(b[:]) // never fails: the runtime ends the process instead
	return hex.EncodeToString(b[:])
}

// Flush waits until what is queued now is sent, or ctx ends.
func (c *Client) Flush(ctx context.Context) error {
	sent := make(chan struct{})
	select {
	case c.now <- sent:
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-sent:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close takes no more events, sends those that are queued until ctx ends, and tells OnError of the rest. Calling it again is
// harmless.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.ending)
	}
	c.mu.Unlock()
	defer c.stop()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.stop()
		<-c.done
		return ctx.Err()
	}
}

// run sends batches until the client is closed and nothing is left, or ctx ends.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		var told chan struct{}
		ending := false
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-c.full:
		case told = <-c.now:
		case <-c.ending:
			ending = true
		}
		c.drain(ctx)
		if told != nil {
			close(told)
		}
		if ending || ctx.Err() != nil {
			return
		}
	}
}

// drain sends what is queued.
func (c *Client) drain(ctx context.Context) {
	for {
		c.mu.Lock()
		n := min(len(c.queue), c.cfg.Batch)
		batch := c.queue[:n:n]
		c.mu.Unlock()
		if n == 0 {
			return
		}
		if err := c.deliver(ctx, batch); err != nil {
			c.cfg.OnError(err)
		}
		c.mu.Lock()
		c.queue = c.queue[n:]
		c.mu.Unlock()
	}
}

// deliver sends a batch until the server has answered for it. The error is about events that are lost.
func (c *Client) deliver(ctx context.Context, batch [][]byte) error {
	body := bytes.Join(batch, nil)
	for pause := c.cfg.Pause; ; pause = min(2*pause, maxPause) {
		wait, err := c.send(ctx, body)
		if wait < 0 {
			return err
		}
		// Some sooner, some later, so that not all clients come back at once.
		wait = max(wait, time.Duration((0.5+rand.Float64()/2)*float64(pause)))
		select {
		case <-ctx.Done():
			return fmt.Errorf("track: %d events were not sent: %w", len(batch), errors.Join(ctx.Err(), err))
		case <-time.After(wait):
		}
	}
}

// answer is what the server says.
type answer struct {
	Failed int64 `json:"failed"`
	Errors []struct {
		Line    int    `json:"line"`
		Code    string `json:"code"`
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// send makes one request. wait is how long to wait, at least, before the same again: negative when there is no point in it.
func (c *Client) send(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := c.cfg.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var a answer
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests && a.Error.Code != "QUOTA_EXCEEDED", resp.StatusCode >= http.StatusInternalServerError:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // none is 0
		return time.Duration(seconds) * time.Second, fmt.Errorf("track: the server answers %s", resp.Status)
	case err != nil: // cut off: what became of it is not known
		return 0, fmt.Errorf("track: the answer cannot be read: %w", err)
	case a.Error.Code != "":
		return -1, fmt.Errorf("track: the server refuses: %s: %s", a.Error.Code, a.Error.Message)
	case a.Failed > 0:
		return -1, fmt.Errorf("track: the server refuses %d events, such as %+v", a.Failed, a.Errors[0])
	}
	return -1, nil
}
