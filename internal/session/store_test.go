package session

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
)

// A token is found without a look at any other session, whether it is the newest or the one before, or nobody's.
func TestTokensHaveIndexes(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	for range 10 {
		n.start(t, "ada")
	}
	_, first := n.pair(t, "ada")
	next := n.mustRefresh(t, first.Refresh)
	for secret, want := range map[string]int{first.Token: 1, next.Token: 1, first.Refresh[:4] + "x": 0} {
		d, _, _ := parse(secret)
		if got := n.examined(t, digestIs(d)); got != want {
			t.Errorf("%d documents examined, want %d", got, want)
		}
	}
}

// The sessions in which somebody acts as others are found past whatever is history, of everybody.
func TestImpersonationsHaveAnIndex(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	own, _ := n.start(t, "ada")
	for i := range 10 {
		one, _ := n.impersonate(t, own, false)
		if i%2 == 0 { // the others are only too old
			if err := n.End(system(t), one.ID); err != nil {
				t.Fatal(err)
			}
		}
		n.start(t, "uma")
	}
	n.clock.Advance(time.Hour)
	one, _ := n.impersonate(t, own, false)
	for name, who := range map[string]bson.E{"all": exists("impersonator"), "those of one": store.Eq("impersonator", "ada")} {
		if got := n.examined(t, actingAt(n.now(), who)); got != 1 {
			t.Errorf("%s: %d documents examined, want 1", name, got)
		}
	}
	if got, err := n.Impersonations(system(t)); err != nil || len(got) != 1 || got[0] != one {
		t.Errorf("Impersonations() = %+v, %v", got, err)
	}
	before := n.ended(t)
	if err := n.End(in(t, own), own.ID); err != nil || n.ended(t)-before != 2 {
		t.Errorf("End() = %v, %d facts, want two: of what is over there is nothing to tell", err, n.ended(t)-before)
	}
}
