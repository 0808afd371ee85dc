package analytics

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// Quota is what this package needs of plan.
type Quota interface {
	Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error
	Release(ctx context.Context, subject ref.Ref, feature string, n int64) error
}

// networkDim is the dimension with the coarse network of whoever sent an event; see [Config].
const networkDim = "network"

// ownNames begin the names of the events that the server itself stores: nobody else can.
const ownNames = "product."

// sender is who brings events, and what they may bring.
type sender struct {
	user    string
	source  string
	owner   ref.Ref  // whose plan the events count for; zero for nobody's
	names   []string // the only ones they may use; nil for any
	network string   // goes into the dimension of that name; empty for none
	system  bool
	types   map[string]EventType
}

// sender is the actor of ctx.
//
// Errors: FORBIDDEN.
func (s *Service) sender(ctx context.Context) (sender, error) {
	if err := s.authz.Require(ctx, PermTrack, ref.Ref{}); err != nil {
		return sender{}, err
	}
	types, err := s.types.get(ctx)
	if err != nil {
		return sender{}, err
	}
	who := actor.From(ctx)
	from := sender{user: who.User, system: who.System, types: types}
	if who.User != "" {
		from.owner = ref.New(ref.User, who.User)
	}
	if s.cfg.Network {
		from.network = network(actor.RequestFrom(ctx).IP)
	}
	return from, nil
}

// network is the part of an address that thousands share: the /24 of IPv4, the /48 of IPv6. It is empty for what is no
// address.
func network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}

// event checks a command and makes the event. The field of a refusal is relative to the event, such as "at".
func (f sender) event(c EventCmd, now time.Time) (Event, *fault.Error) {
	e, bad := c.event(now, f.user)
	switch {
	case bad != nil:
		return e, bad
	case !f.system && strings.HasPrefix(e.Name, ownNames):
		return e, ErrEvent.On("name").Saying("names that begin with %s are those of the server's own events", ownNames)
	case f.names != nil && !slices.Contains(f.names, e.Name):
		return e, ErrEvent.On("name").Saying("the ingest key is not for events of this name")
	}
	if bad := f.types[e.Name].check(e, now); bad != nil {
		return e, bad
	}
	e.Source = f.source
	if _, said := e.Dims[networkDim]; f.network != "" && !said && c.Consent != Denied {
		if e.Dims == nil {
			e.Dims = map[string]string{}
		}
		e.Dims[networkDim] = f.network
	}
	return e, nil
}

// batch checks all events of a batch; the first that is refused refuses the batch.
func (f sender) batch(cmds []EventCmd, now time.Time) ([]Event, error) {
	if len(cmds) == 0 || len(cmds) > MaxBatch {
		return nil, ErrEvent.On("input.events").Saying("a batch has 1 to %d events", MaxBatch)
	}
	batch := make([]Event, len(cmds))
	for i, c := range cmds {
		e, bad := f.event(c, now)
		if bad != nil {
			return nil, bad.On(fmt.Sprintf("input.events.%d.%s", i, bad.Field)).With("index", i)
		}
		batch[i] = e
	}
	return batch, nil
}

// put stores events that were checked, and counts them for the plan of whoever answers for the sender. What was there
// already, and what could not be stored, is not counted.
//
// Errors: QUOTA_EXCEEDED.
func (s *Service) put(ctx context.Context, from sender, batch []Event) (Tracked, error) {
	if err := s.slowDown(ctx); err != nil {
		return Tracked{}, err
	}
	metered := s.cfg.Quota != nil && !from.owner.IsZero()
	if metered {
		if err := s.cfg.Quota.Consume(ctx, from.owner, FeatureEvents, int64(len(batch))); err != nil {
			return Tracked{}, err
		}
	}
	done, err := s.store.insertEvents(ctx, batch)
	if unused := len(batch) - done.Accepted; metered && unused > 0 {
		s.giveBack(ctx, from.owner, unused)
	}
	return done, err
}

// aftermath is how long what was counted too much goes on to be given back when the caller has left.
const aftermath = 2 * time.Second

// giveBack undoes a part of what was counted. Where that fails, the count is too high, and the log says so.
func (s *Service) giveBack(ctx context.Context, owner ref.Ref, n int) {
	ctx, cancel := store.Linger(ctx, aftermath)
	defer cancel()
	if err := s.cfg.Quota.Release(ctx, owner, FeatureEvents, int64(n)); err != nil {
		s.cfg.Log.WarnContext(ctx, "events_not_given_back", "subject", owner.String(), "n", n, "error", err.Error())
	}
}
