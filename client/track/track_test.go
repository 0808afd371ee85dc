package track

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// book is a server that stores an id once, after it has answered as it was told to.
type book struct {
	*httptest.Server

	mu      sync.Mutex
	answers []func(w http.ResponseWriter) // for the next requests, instead of storing
	store   bool                          // store even then
	events  map[string]Event
	sizes   []int // of the requests
	keys    []string
}

func newBook(t *testing.T, answers ...func(w http.ResponseWriter)) *book {
	t.Helper()
	b := &book{events: map[string]Event{}, answers: answers}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys = append(b.keys, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	var answer func(w http.ResponseWriter)
	if len(b.answers) > 0 {
		answer, b.answers = b.answers[0], b.answers[1:]
	}
	n := 0
	for lines := bufio.NewScanner(r.Body); lines.Scan(); n++ {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		if answer == nil || b.store {
			b.events[e.ID] = e
		}
	}
	b.sizes = append(b.sizes, n)
	if answer != nil {
		answer(w)
		return
	}
	_, _ = fmt.Fprintf(w, `{"accepted":%d,"duplicates":0,"failed":0,"errors":[]}`, n)
}

// says is an answer with a status and a body.
func says(status int, body string, headers ...string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// lost are the errors a client was told of.
type lost struct {
	mu  sync.Mutex
	all []error
}

func (l *lost) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, err)
}

func (l *lost) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(l.all)
}

func newClient(t *testing.T, b *book, cfg Config) (*Client, *lost) {
	t.Helper()
	l := &lost{}
	cfg.URL, cfg.Key, cfg.OnError = b.URL, "bbi_key", l.add
	if cfg.Pause == 0 {
		cfg.Pause = time.Millisecond
	}
	if cfg.Every == 0 {
		cfg.Every = time.Hour // only what a test asks for
	}
	c, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c, l
}

func TestEventsAreSentInBatches(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	c, l := newClient(t, b, Config{Batch: 100})
	at := time.Date(2001, 1, 10, 18, 20, 0, 0, time.UTC)
	for i := range 250 {
		if err := c.Track(Event{Name: "order", At: at, Actor: "visitor-1", Values: map[string]float64{"total": float64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Track(Event{ID: "my-own-id", Name: "order", Consent: "DENIED", Dims: map[string]string{"shop": "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range b.sizes {
		if total += n; n > 100 {
			t.Errorf("%d events in a request", n)
		}
	}
	if total != 251 || len(b.events) != 251 || b.keys[0] != "POST /events Bearer bbi_key" || l.String() != "[]" {
		t.Errorf("%d sent, %d stored, %v, lost %v", total, len(b.events), b.keys, l)
	}
	if e := b.events["my-own-id"]; e.Consent != "DENIED" || e.Dims["shop"] != "a" || time.Since(e.At) > time.Minute {
		t.Errorf("%+v", e)
	}
	if err := c.Track(Event{Name: "x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Track() after Close = %v", err)
	}
	if err := c.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Flush() after Close = %v", err)
	}
}

// Whatever the server does before it stores, and after, an event is there once.
func TestFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	b := newBook(t, says(503, "away"), says(429, `{"error":{"code":"RATE_LIMITED"}}`), says(200, `{"acce`), func(http.ResponseWriter) { panic(http.ErrAbortHandler) })
	b.store = true
	c, l := newClient(t, b, Config{})
	for range 10 {
		if err := c.Track(Event{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if fmt.Sprint(b.sizes) != "[10 10 10 10 10]" || len(b.events) != 10 || l.String() != "[]" {
		t.Errorf("requests of %v, %d events, lost %v", b.sizes, len(b.events), l)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	t.Parallel()
	b := newBook(t, says(429, `{}`, "Retry-After", "1"))
	c, _ := newClient(t, b, Config{})
	_ = c.Track(Event{Name: "x"})
	begin := time.Now()
	if err := c.Flush(t.Context()); err != nil || time.Since(begin) < time.Second {
		t.Errorf("Flush() = %v after %s", err, time.Since(begin))
	}
}

func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]func(http.ResponseWriter){
		"INGEST_KEY_INVALID": says(401, `{"error":{"code":"INGEST_KEY_INVALID","message":"no"}}`),
		"QUOTA_EXCEEDED":     says(429, `{"error":{"code":"QUOTA_EXCEEDED","message":"no"}}`),
		"EVENT_INVALID":      says(207, `{"accepted":0,"failed":1,"errors":[{"line":1,"code":"EVENT_INVALID"}]}`),
	} {
		b := newBook(t, answer)
		c, l := newClient(t, b, Config{})
		_ = c.Track(Event{Name: "x"})
		if err := c.Flush(t.Context()); err != nil || !strings.Contains(l.String(), want) || len(b.sizes) != 1 {
			t.Errorf("Flush() = %v, lost %v, %d requests; want %s", err, l, len(b.sizes), want)
		}
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	c, l := newClient(t, newBook(t), Config{Queue: 3})
	for range 3 {
		if err := c.Track(Event{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Track(Event{Name: "x"}); !errors.Is(err, ErrFull) {
		t.Errorf("Track() = %v", err)
	}
	if err := c.Track(Event{Name: "x", Values: map[string]float64{"v": math.NaN()}}); !errors.Is(err, ErrEvent) {
		t.Errorf("Track() = %v", err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Track(Event{Name: "x"}); err != nil || l.String() != "[]" {
		t.Errorf("Track() = %v, lost %v", err, l)
	}
}

// A server that stays away does not hold the end of the program up for longer than it says.
func TestCloseEndsInTime(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	b.answers = make([]func(http.ResponseWriter), 1000)
	for i := range b.answers {
		b.answers[i] = says(503, "away")
	}
	c, l := newClient(t, b, Config{})
	_ = c.Track(Event{Name: "x"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(l.String(), "1 events were not sent") {
		t.Errorf("Close() = %v, lost %v", err, l)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("Close() again = %v", err)
	}
}

func TestWhatWaitsForLongIsSent(t *testing.T) {
	t.Parallel()
	b := newBook(t)
	c, _ := newClient(t, b, Config{Every: time.Millisecond})
	_ = c.Track(Event{Name: "x"})
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		b.mu.Lock()
		n := len(b.events)
		b.mu.Unlock()
		if n == 1 {
			return
		}
	}
	t.Error("it still waits")
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "book.example.org", "ftp://book.example.org", "https://"} {
		if _, err := New(t.Context(), Config{URL: u}); err == nil {
			t.Errorf("New() took %q", u)
		}
	}
}
