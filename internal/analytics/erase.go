package analytics

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/backendbook/backendbook/internal/ref"
)

// JobErase is the kind of the background job that takes a deleted user out of the stored events; see [Service.EraseStep].
const JobErase = "analytics.erase"

// eraseLot is how many events one step of an erasure changes.
const eraseLot = 1000

// Erasure is how far an erasure is. Its salt makes the pseudonyms: when it is thrown away at the end, nobody can tell who
// a pseudonym was.
type Erasure struct {
	Salt    string   `json:"salt"`
	Metrics []string `json:"metrics"` // that count actors, sessions or users once, and have counted some of those that were changed
}

// EraseStep takes a user out of up to 1,000 of the stored events, in the transaction of ctx, and tells how many it changed: what is
// about the user or was sent by them gets pseudonyms in the place of the actor, the session and the sender. The same id gets the
// same pseudonym all along, so an actor remains one. With the last step the metrics that count such ids once are invalidated: the
// sketches of rollups know the ids before. All other rollups are as they were. Cost: 1 read of two indexes, 1 write.
//
// Errors: FORBIDDEN.
func (s *Service) EraseStep(ctx context.Context, user string, e *Erasure) (changed int, finished bool, err error) {
	if err := s.authz.Require(ctx, PermManage, ref.Ref{}); err != nil {
		return 0, false, err
	}
	if e.Salt == "" {
		e.Salt = rand.Text()
	}
	found, err := s.store.eventsOf(ctx, user, eraseLot)
	if err != nil {
		return 0, false, err
	}
	all, err := s.store.allMetrics(ctx)
	if err != nil {
		return 0, false, err
	}
	if len(found) == 0 {
		return 0, true, s.recountErased(ctx, all, e.Metrics)
	}
	for i := range found {
		for _, m := range all {
			if m.countsPeople() && m.Event == found[i].Name && !slices.Contains(e.Metrics, m.Key) {
				e.Metrics = append(e.Metrics, m.Key)
			}
		}
		found[i] = e.without(found[i], user)
	}
	return len(found), false, s.store.rename(ctx, found)
}

// recountErased invalidates metrics.
func (s *Service) recountErased(ctx context.Context, all []Metric, keys []string) error {
	for _, m := range all {
		if slices.Contains(keys, m.Key) {
			if err := s.invalidate(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// countsPeople reports whether the metric counts ids that an erasure changes.
func (m Metric) countsPeople() bool {
	return slices.Contains([]string{UniqueActor, UniqueSession, UniqueUser}, m.Unique)
}

// without is the event without the user. The session is that of whom the event is about; where it says nobody, that of who
// sent it.
func (e *Erasure) without(ev Event, user string) Event {
	if ev.Actor == user || ev.Actor == "" {
		ev.Session = e.pseudonym(ev.Session)
	}
	if ev.Actor == user {
		ev.Actor = e.pseudonym(user)
	}
	if ev.User == user {
		ev.User = e.pseudonym(user)
	}
	return ev
}

// pseudonym is what stands for an id from now on; none for none.
func (e *Erasure) pseudonym(id string) string {
	if id == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(e.Salt))
	_, _ = mac.Write([]byte(id))
	return "erased-" + hex.EncodeToString(mac.Sum(nil)[:16])
}
