package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/token"
)

// refused fails the test unless nobody is taken for a session by the token.
func (n node) refused(t testing.TB, what, secret string) {
	t.Helper()
	if s, err := n.Resolve(t.Context(), secret); !errors.Is(err, ErrEnded) {
		t.Errorf("%s: Resolve() = %+v, %v", what, s, err)
	}
}

func TestPairOfTokens(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, first := n.pair(t, "ada")
	if !first.ExpiresAt.Equal(t0.Add(15 * time.Minute)) {
		t.Errorf("the access token ends %v", first.ExpiresAt)
	}
	if got := n.mustResolve(t, first.Token); got.ID != s.ID || !got.TokenUntil.Equal(first.ExpiresAt) {
		t.Errorf("Resolve() = %+v", got)
	}
	if _, err := n.Resolve(t.Context(), first.Refresh); !errors.Is(err, ErrEnded) {
		t.Errorf("a refresh token is good for a request: %v", err)
	}
	n.clock.Advance(15*time.Minute - time.Millisecond)
	n.mustResolve(t, first.Token)
	n.clock.Advance(time.Millisecond)
	n.refused(t, "the access token at its end", first.Token)
	if _, err := n.Resolve(t.Context(), first.Token); !errors.Is(err, ErrKnown) {
		t.Errorf("an access token whose time is up counts as a guess: %v", err)
	}
	next := n.mustRefresh(t, first.Refresh)
	if got := n.mustResolve(t, next.Token); got.ID != s.ID || got.Level != FullProof || !got.LastSeenAt.Equal(n.now()) {
		t.Errorf("after the refresh: %+v", got)
	}
	if !next.ExpiresAt.Equal(n.now().Add(15*time.Minute)) || next.Token == first.Token || next.Refresh == first.Refresh {
		t.Errorf("the next secrets end %v", next.ExpiresAt)
	}
}

// The token before stays good for as long as a used refresh token may be shown again: for requests that are on their way.
func TestTheTokenBeforeStaysForAMoment(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, first := n.pair(t, "ada")
	n.mustResolve(t, first.Token)
	next := n.mustRefresh(t, first.Refresh)
	for range 3 { // by turns, from memory
		n.mustResolve(t, next.Token)
		n.mustResolve(t, first.Token)
	}
	n.clock.Advance(10 * time.Second)
	n.refused(t, "the token before, after ten seconds", first.Token)
	n.mustResolve(t, next.Token)
	last := n.mustRefresh(t, next.Refresh)
	n.refused(t, "the token before the one before", first.Token)
	n.mustResolve(t, last.Token)
}

func TestReq60Reuse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		then  func(n node, first, next Secrets, t testing.TB) // between the use and the reuse
		shown func(first, next Secrets) string
		same  bool // the same successor instead of the end
	}{
		{"at once", func(node, Secrets, Secrets, testing.TB) {}, parentOf, true},
		{"as late as may be", func(n node, _, _ Secrets, _ testing.TB) { n.clock.Advance(10 * time.Second) }, parentOf, true},
		{"too late", func(n node, _, _ Secrets, _ testing.TB) { n.clock.Advance(10*time.Second + time.Millisecond) }, parentOf, false},
		{"at once, but its successor is used", func(n node, _, next Secrets, t testing.TB) { n.mustRefresh(t, next.Refresh) }, parentOf, false},
		{"days later", func(n node, _, next Secrets, t testing.TB) {
			for range 5 {
				n.clock.Advance(24 * time.Hour)
				next = n.mustRefresh(t, next.Refresh)
			}
		}, parentOf, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n := setUp(t, Config{})
			s, first := n.pair(t, "ada")
			ended, stop := n.Watch(s.ID)
			defer stop()
			next := n.mustRefresh(t, first.Refresh)
			tc.then(n, first, next, t)
			got, reused, err := n.refresh(t, tc.shown(first, next))
			if tc.same {
				if err != nil || reused || got != next {
					t.Errorf("Refresh() = other secrets %t, reused %t, %v", got != next, reused, err)
				}
				return
			}
			if !errors.Is(err, ErrEnded) || !reused || got != (Secrets{}) || !isClosed(ended) {
				t.Errorf("Refresh() = %v, reused %t, sockets cut %t", err, reused, isClosed(ended))
			}
			n.refused(t, "the newest access token", next.Token)
			facts := n.facts(t, kindEnded)
			if len(facts) != 1 || facts[0].On != s.Ref() || data[about](t, facts[0]) != (about{User: "ada", Reason: "reuse"}) {
				t.Errorf("facts: %+v", facts)
			}
			if _, again, err := n.refresh(t, first.Refresh); !errors.Is(err, ErrEnded) || again {
				t.Errorf("once more: %v, told again %t", err, again)
			}
		})
	}
}

func parentOf(first, _ Secrets) string { return first.Refresh }

// When the mail cannot be queued, nothing has happened, and the next one who shows the copy ends the family.
func TestReuseCommitsWithTheNotice(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, first := n.pair(t, "ada")
	next := n.mustRefresh(t, first.Refresh)
	n.clock.Advance(time.Minute)
	wrong := errors.New("no mail")
	_, _, err := n.Refresh(t.Context(), first.Refresh, func(context.Context, Session) error { return wrong })
	if !errors.Is(err, wrong) || n.ended(t) != 0 {
		t.Errorf("Refresh() = %v, %d ends", err, n.ended(t))
	}
	n.mustResolve(t, next.Token)
}

// TestReq61OneLineage: fifty at once on two nodes, and after a restart, are one lineage.
func TestReq61OneLineage(t *testing.T) {
	t.Parallel()
	a := setUp(t, Config{})
	b := a.peer()
	_, first := a.pair(t, "ada")
	got := make([]Secrets, 50)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			n := a
			if i%2 == 0 {
				n = b
			}
			var err error
			if _, got[i], err = n.Refresh(t.Context(), first.Refresh, never(t)); err != nil {
				t.Errorf("Refresh() = %v", err)
			}
		})
	}
	all.Wait()
	for _, one := range got {
		if one != got[0] {
			t.Fatal("two lineages")
		}
	}
	if links := storetest.Count(t, a.db, refreshCollection); links != 2 {
		t.Errorf("%d links of the family, want 2", links)
	}
	restarted := a.peer()
	if again := restarted.mustRefresh(t, first.Refresh); again != got[0] {
		t.Error("another successor after a restart")
	}
	a.mustResolve(t, got[0].Token)
	restarted.mustResolve(t, got[0].Token)
}

func never(t testing.TB) func(context.Context, Session) error {
	return func(context.Context, Session) error {
		t.Error("told of a reuse that was none")
		return nil
	}
}

// TestReq61RevokeWins: of a refresh and an end at once, whoever comes first, nothing is good afterwards.
func TestReq61RevokeWins(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	for i := range 10 {
		s, first := n.pair(t, fmt.Sprintf("user%d", i))
		var next Secrets
		var both sync.WaitGroup
		both.Go(func() { _, next, _ = n.Refresh(t.Context(), first.Refresh, never(t)) })
		both.Go(func() {
			if err := n.End(in(t, s), s.ID); err != nil {
				t.Errorf("End() = %v", err)
			}
		})
		both.Wait()
		n.refused(t, "the token before", first.Token)
		if next.Token != "" {
			n.refused(t, "the token after", next.Token)
			if _, _, err := n.refresh(t, next.Refresh); !errors.Is(err, ErrEnded) {
				t.Errorf("the refresh token after: %v", err)
			}
		}
	}
}

// TestReq62RefreshIsBounded: no refresh passes the latest end of the session, or comes after it was idle for too long; and
// refreshing is a use.
func TestReq62RefreshIsBounded(t *testing.T) {
	t.Parallel()
	cfg := Config{Idle: time.Hour, Absolute: 3 * time.Hour, Access: 30 * time.Minute}
	t.Run("absolute", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		s, secrets := n.pair(t, "ada")
		for range 3 {
			n.clock.Advance(50 * time.Minute)
			secrets = n.mustRefresh(t, secrets.Refresh)
		}
		n.clock.Advance(29 * time.Minute)
		secrets = n.mustRefresh(t, secrets.Refresh)
		if !secrets.ExpiresAt.Equal(s.ExpiresAt) {
			t.Errorf("an access token ends %v, the session %v", secrets.ExpiresAt, s.ExpiresAt)
		}
		n.clock.Advance(time.Minute)
		n.refused(t, "at the latest end", secrets.Token)
		if _, reused, err := n.refresh(t, secrets.Refresh); !errors.Is(err, ErrEnded) || !errors.Is(err, ErrKnown) || reused {
			t.Errorf("a refresh at the latest end: %v, reused %t", err, reused)
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		n := setUp(t, cfg)
		_, secrets := n.pair(t, "ada")
		n.clock.Advance(time.Hour)
		if _, _, err := n.refresh(t, secrets.Refresh); !errors.Is(err, ErrEnded) {
			t.Errorf("a refresh of an idle session: %v", err)
		}
	})
}

func TestRefreshRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, secrets := n.pair(t, "ada")
	unknown, _ := token.New(refreshPrefix)
	for name, shown := range map[string]string{
		"empty": "", "unknown": unknown, "an access token": secrets.Token, "cut": secrets.Refresh[:40], "operator": `{"$ne":""}`,
	} {
		if _, _, err := n.Refresh(t.Context(), shown, never(t)); !errors.Is(err, ErrEnded) || errors.Is(err, ErrKnown) {
			t.Errorf("%s: Refresh() = %v", name, err)
		}
	}
}

// TestReq59Renew: new secrets, and the ones before are dead at once, here and on the other node; whoever shows the old refresh
// token is refused, and nobody is blamed.
func TestReq59Renew(t *testing.T) {
	t.Parallel()
	for name, renew := range map[string]func(node, Session, testing.TB) (Secrets, error){
		"renewed": func(n node, s Session, t testing.TB) (Secrets, error) {
			_, secrets, err := n.Renew(in(t, s), s.ID)
			return secrets, err
		},
		"elevated": func(n node, s Session, t testing.TB) (Secrets, error) {
			_, secrets, err := n.Elevate(in(t, s), s.ID, "otp", TwoFactors)
			return secrets, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := setUp(t, Config{Recheck: time.Hour})
			b := a.peer()
			b.follow(t)
			s, first := a.pair(t, "ada")
			old := a.mustRefresh(t, first.Refresh)
			a.mustResolve(t, old.Token)
			a.mustResolve(t, first.Token)
			b.mustResolve(t, old.Token)
			goesOn, stop := a.Watch(s.ID)
			defer stop()
			secrets, err := renew(a, s, t)
			if err != nil {
				t.Fatal(err)
			}
			a.refused(t, "the token before", old.Token)
			a.refused(t, "the token before that", first.Token)
			elsewhere := func() bool { _, err := b.Resolve(t.Context(), old.Token); return errors.Is(err, ErrEnded) }
			storetest.Eventually(t, 5*time.Second, elsewhere, "the other node refuses it")
			if _, reused, err := b.refresh(t, old.Refresh); !errors.Is(err, ErrEnded) || reused {
				t.Errorf("the refresh token before: %v, reused %t", err, reused)
			}
			if a.mustResolve(t, secrets.Token).ID != s.ID || b.mustResolve(t, secrets.Token).ID != s.ID || isClosed(goesOn) {
				t.Error("the session does not go on")
			}
			b.mustRefresh(t, secrets.Refresh)
		})
	}
}

func TestRenewIsForOneself(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, secret := n.warm(t, "ada")
	other, _ := n.warm(t, "bob")
	if _, _, err := n.Renew(in(t, other), s.ID); err == nil {
		t.Error("somebody else renews it")
	}
	if _, _, err := n.Renew(system(t), "nothing"); err == nil {
		t.Error("nothing is renewed")
	}
	n.mustResolve(t, secret)
	if facts := n.facts(t, kindRenewed); len(facts) != 0 {
		t.Errorf("facts of what did not happen: %v", facts)
	}
	if _, secrets, err := n.Renew(system(t), s.ID); err != nil || secrets.Refresh != "" || !secrets.ExpiresAt.Equal(s.ExpiresAt) {
		t.Errorf("a session with a cookie: %v, %v", secrets.ExpiresAt, err)
	}
}

// Secrets never print.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	one := Secrets{Token: "bbs_x", Refresh: "bbr_x"}
	if got := fmt.Sprintf("%v %+v %#v %s %q", one, one, one, one, &one); got != "secrets secrets secrets secrets secrets" || one.LogValue().String() != "secrets" {
		t.Errorf("printed: %s, %s", got, one.LogValue())
	}
}

// Whatever else is stored of a family, only hashes are.
func TestReq58RefreshTokensAtRest(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	_, first := n.pair(t, "ada")
	n.mustRefresh(t, first.Refresh)
	d, _ := token.Parse(refreshPrefix, first.Refresh)
	if storetest.Count(t, n.db, refreshCollection, bson.D{{Key: "_id", Value: d[:]}}) != 1 {
		t.Error("the link is not found by its digest")
	}
}
