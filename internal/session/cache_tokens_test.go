package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// withTwo reads a session that is found by two tokens: 1, which ends in an hour, and 0, the one before, in ten seconds.
func withTwo(context.Context, digest) (known, error) {
	return known{session1("s1"), []pass{{digest{1}, t0.Add(time.Hour)}, {digest{0}, t0.Add(10 * time.Second)}}}, nil
}

// Each token has its own end, whichever of them was asked for.
func TestEachTokenHasItsEnd(t *testing.T) {
	t.Parallel()
	for _, asked := range []digest{{0}, {1}} {
		c := testCache()
		read, err := c.load(t.Context(), asked, t0, withTwo)
		if err != nil {
			t.Fatal(err)
		}
		for d, until := range map[digest]time.Time{{1}: t0.Add(time.Hour), {0}: t0.Add(10 * time.Second)} {
			got, ok := c.get(d, t0)
			if !ok || got.ID != "s1" || !got.TokenUntil.Equal(until) || d == asked && got != read {
				t.Errorf("asked for %d, token %d: %+v, %v", asked[0], d[0], got, ok)
			}
		}
		if s, ok := c.getByID("s1", t0); !ok || !s.TokenUntil.IsZero() {
			t.Errorf("by id, where no token is shown: %+v, %v", s, ok)
		}
	}
}

// Bug class "an old token outlives its session in memory": whatever lets go of a session lets go of all its tokens.
func TestTokensOfASessionGoTogether(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*cache)
		left   []digest
	}{
		"the session ended":        {func(c *cache) { c.forget("s1") }, nil},
		"the session changed":      {func(c *cache) { c.refresh("s1") }, nil},
		"everything is in doubt":   {func(c *cache) { c.doubt() }, nil},
		"another session ended":    {func(c *cache) { c.forget("s2") }, []digest{{0}, {1}}},
		"a token was found dead":   {func(c *cache) { _, _ = c.load(context.Background(), digest{0}, t0.Add(time.Minute), gone) }, nil},
		"another was found dead":   {func(c *cache) { _, _ = c.load(context.Background(), digest{9}, t0, gone) }, []digest{{0}, {1}}},
		"it was read with a third": {func(c *cache) { _, _ = c.load(context.Background(), digest{2}, t0, answers(session1("s1"))) }, []digest{{2}}},
		"the database is away":     {func(c *cache) { _, _ = c.load(context.Background(), digest{0}, t0.Add(time.Minute), away) }, []digest{{0}, {1}}},
		"there is no room for it": {func(c *cache) {
			for i := range byte(200) {
				_, _ = c.load(context.Background(), digest{10 + i}, t0, answers(session1(fmt.Sprint("other", i))))
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testCache()
			if _, err := c.load(t.Context(), digest{1}, t0, withTwo); err != nil {
				t.Fatal(err)
			}
			tc.change(c)
			left := 0
			for d, w := range c.byDigest {
				if w.session.ID == "s1" {
					left++
				}
				if c.byID[w.session.ID] != w.entry {
					t.Errorf("token %d leads to what is not known any more", d[0])
				}
			}
			if left != len(tc.left) {
				t.Errorf("%d tokens left, want %d", left, len(tc.left))
			}
			for _, d := range tc.left {
				if _, ok := c.get(d, t0); !ok {
					t.Errorf("token %d is not known", d[0])
				}
			}
		})
	}
}

func gone(context.Context, digest) (known, error) { return known{}, ErrEnded }
func away(context.Context, digest) (known, error) { return known{}, errors.New("no connection") }

// Bug class "replaced while being read": a read of the old token that began before the session got another, and lands after
// it, must bring the old one back neither for itself nor in the place of the new one.
func TestTokenReplacedDuringARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := testCache()
		answer := make(chan struct{})
		old := func(ctx context.Context, d digest) (known, error) {
			<-answer
			return answers(session1("s1"))(ctx, d)
		}
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.load(t.Context(), digest{5}, t0, old) })
		synctest.Wait()

		c.refresh("s1") // the session has tokens 1 and 0 by now
		if _, err := c.load(t.Context(), digest{1}, t0, withTwo); err != nil {
			t.Errorf("load() = %v", err)
		}
		close(answer)
		wg.Wait()
		if _, ok := c.get(digest{5}, t0); ok {
			t.Error("the token that was replaced is known again")
		}
		for _, d := range []digest{{0}, {1}} {
			if _, ok := c.get(d, t0); !ok {
				t.Errorf("token %d is not known any more", d[0])
			}
		}
		if _, err := c.load(t.Context(), digest{5}, t0, gone); !errors.Is(err, ErrEnded) {
			t.Errorf("who asked after the change: %v", err)
		}
	})
}

// What happens to others while a session is read spoils nothing: however many end meanwhile, the answer is kept. What happens
// to itself, or is not known, does.
func TestChangesDuringARead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*cache)
		kept   bool
	}{
		"nothing":                       {func(*cache) {}, true},
		"nothing ends":                  {func(c *cache) { c.forget() }, true},
		"another ends":                  {func(c *cache) { c.forget("s2") }, true},
		"another changes":               {func(c *cache) { c.refresh("s2") }, true},
		"as many end as are remembered": {func(c *cache) { c.forget(others(10)...) }, true},
		"more end":                      {func(c *cache) { c.forget(others(11)...) }, false},
		"more end, one by one": {func(c *cache) {
			for _, id := range others(11) {
				c.forget(id)
			}
		}, false},
		"it ends":                  {func(c *cache) { c.forget("s1") }, false},
		"it ends before others do": {func(c *cache) { c.forget("s1"); c.forget(others(10)...) }, false},
		"it ends among others":     {func(c *cache) { c.forget("s2", "s1") }, false},
		"it changes":               {func(c *cache) { c.refresh("s1") }, false},
		"changes are missed":       {func(c *cache) { c.doubt() }, false},
		"it ends, and another read lands meanwhile": {func(c *cache) {
			c.forget("s1")
			_, _ = c.load(context.Background(), digest{9}, t0, answers(session1("s9")))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testCache()
			c.forget("s1") // before: that counts for no read
			read := func(ctx context.Context, d digest) (known, error) {
				k, err := withTwo(ctx, d)
				tc.change(c)
				return k, err
			}
			if s, err := c.load(t.Context(), digest{1}, t0, read); err != nil || s.ID != "s1" {
				t.Errorf("load() = %+v, %v", s, err)
			}
			if _, ok := c.get(digest{1}, t0); ok != tc.kept {
				t.Errorf("kept %t, want %t", ok, tc.kept)
			}
			if c.reading != 0 || len(c.changed) != 0 {
				t.Errorf("%d reads, %d changes remembered", c.reading, len(c.changed))
			}
			if _, err := c.load(t.Context(), digest{1}, t0, withTwo); err != nil {
				t.Errorf("load() = %v", err)
			}
			if _, ok := c.get(digest{0}, t0); !ok {
				t.Error("the next read is not kept")
			}
		})
	}
}

func others(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("other", i)
	}
	return ids
}

// A use by one token counts for the other: there is one session.
func TestUseByEitherToken(t *testing.T) {
	t.Parallel()
	c := testCache()
	s, _ := c.load(t.Context(), digest{0}, t0, withTwo)
	c.use(s, t0.Add(time.Minute))
	if got, ok := c.get(digest{1}, t0); !ok || !got.LastSeenAt.Equal(t0.Add(time.Minute)) || !got.TokenUntil.Equal(t0.Add(time.Hour)) {
		t.Errorf("by the other token: %+v, %v", got, ok)
	}
	if len(c.uses) != 1 {
		t.Errorf("%d uses to write down", len(c.uses))
	}
}

// However they are asked for, lost and changed at once, the two maps tell the same: run with -race.
func TestTokensInStep(t *testing.T) {
	t.Parallel()
	c := testCache()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for n := range 200 {
				id := fmt.Sprint("s", (i+n)%12)
				one := byte((i + n) % 12 * 2)
				read := func(context.Context, digest) (known, error) {
					return known{session1(id), []pass{{digest{one}, time.Time{}}, {digest{one + 1}, t0.Add(time.Second)}}}, nil
				}
				switch n % 7 {
				case 0:
					c.forget(id)
				case 1:
					c.refresh(id)
				default:
					if s, err := c.load(t.Context(), digest{one + byte(n%2)}, t0, read); err != nil || s.ID != id {
						t.Errorf("load() = %s, %v; want %s", s.ID, err, id)
					}
				}
			}
		})
	}
	wg.Wait()
	if len(c.flights) != 0 || c.reading != 0 || len(c.byID) > 10 || len(c.byDigest) > 2*len(c.byID) {
		t.Errorf("%d flights, %d sessions, %d tokens", len(c.flights), len(c.byID), len(c.byDigest))
	}
	for d, w := range c.byDigest {
		if c.byID[w.session.ID] != w.entry {
			t.Errorf("token %d leads to what is not known any more", d[0])
		}
	}
}
