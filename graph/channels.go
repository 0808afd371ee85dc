package graph

import (
	"context"
	"slices"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/webauth"
)

// opener opens a channel for the caller of ctx.
type opener = func(ctx context.Context) (live.Channel, error)

// family opens the channel an input asks for. A new family is one more field of ChannelInput and one more case here: its
// service says who may follow what, and its source satisfies live.Source.
func (r *Resolver) family(in model.ChannelInput) (opener, error) {
	var given []opener
	if q := in.Report; q != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Analytics.ReportChannel(ctx, reportQuery(*q)))
		})
	}
	if q := in.Funnel; q != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Analytics.FunnelChannel(ctx, *q)) })
	}
	if q := in.Retention; q != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Analytics.RetentionChannel(ctx, *q)) })
	}
	if q := in.Paths; q != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Analytics.PathsChannel(ctx, *q)) })
	}
	if e := in.Events; e != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Analytics.TailChannel(ctx, eventFilter(e.Filter), e.Last))
		})
	}
	if s := in.SavedReport; s != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Reporting.Channel(ctx, *s)) })
	}
	if a := in.Alerts; a != nil && *a {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Reporting.AlertsChannel(ctx)) })
	}
	if l := in.Documents; l != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Documents.ListChannel(ctx, registry.FollowCmd{Type: l.Type, First: l.First, Filter: l.Filter, Sort: l.Sort}))
		})
	}
	if d := in.Document; d != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Documents.DocumentChannel(ctx, d.ID))
		})
	}
	if b := in.Backlinks; b != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Documents.BacklinksChannel(ctx, b.To, b.First))
		})
	}
	if j := in.Job; j != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Jobs.Channel(ctx, j.ID)) })
	}
	if l := in.MySessions; l != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return inWords(channel(r.Auth.MySessionsChannel(ctx, l.First)))
		})
	}
	if l := in.MySecurityEvents; l != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return inWords(channel(r.Auth.MySecurityEventsChannel(ctx, l.First)))
		})
	}
	if m := in.MyPermissions; m != nil && *m {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Rights.PermissionsChannel(ctx)) })
	}
	if m := in.PolicyChanges; m != nil && *m {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Rights.PolicyChannel(ctx)) })
	}
	if e := in.Entitlements; e != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Plans.EntitlementsChannel(ctx, orMe(ctx, e.User)))
		})
	}
	if u := in.Usage; u != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) {
			return channel(r.Plans.UsageChannel(ctx, orMe(ctx, u.User), u.Features))
		})
	}
	given = append(given, r.among(in)...)
	if len(given) != 1 || !isChannelKey(in.Key) {
		return nil, live.ErrChannels
	}
	return given[0], nil
}

// among are the families of who and what is there beside the caller.
func (r *Resolver) among(in model.ChannelInput) (given []opener) {
	if p := in.Topic; p != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Topics.Channel(ctx, p.Key, p.Last)) })
	}
	if p := in.Presence; p != nil {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return r.presence(ctx, p.ID) })
	}
	if h := in.Health; h != nil && *h {
		given = append(given, func(ctx context.Context) (live.Channel, error) { return channel(r.Presence.HealthChannel(ctx)) })
	}
	return given
}

// The rates a channel may ask for, in messages a second.
const (
	minRate = 0.01
	maxRate = 50
)

// requests is what the inputs ask of the hub.
//
// Errors: BAD_CHANNELS.
func (r *Resolver) requests(channels []model.ChannelInput) ([]live.Request, error) {
	reqs := make([]live.Request, len(channels))
	for i, c := range channels {
		open, err := r.family(c)
		if err != nil {
			return nil, err
		}
		reqs[i] = live.Request{Label: c.Key, Open: open, Whole: c.Mode == model.LiveModeLatest}
		if c.After != nil {
			reqs[i].After = *c.After
		}
		if rate := c.MaxRate; rate != nil {
			if !(*rate >= minRate && *rate <= maxRate) {
				return nil, live.ErrChannels.Saying("maxRate is between %v and %v messages a second", minRate, maxRate)
			}
			reqs[i].Every = time.Duration(float64(time.Second) / *rate)
		}
	}
	return reqs, nil
}

// withinPlan checks that the caller's plan allows a stream of so many channels.
func (r *Resolver) withinPlan(ctx context.Context, channels int) error {
	who := actor.From(ctx)
	if r.Plans == nil || who.System {
		return nil
	}
	return r.Plans.Within(ctx, who.Ref(), FeatureChannels, int64(channels), nil)
}

// presence is the channel of who watches a document, for who may follow the document itself.
func (r *Resolver) presence(ctx context.Context, document ref.Ref) (live.Channel, error) {
	_, _, _, allowed, err := r.Documents.DocumentChannel(ctx, document)
	if err != nil {
		return live.Channel{}, err
	}
	key, topics, source, enter, err := r.Presence.Channel(ctx, document, allowed)
	c, err := channel(key, topics, source, allowed, err)
	c.Enter = enter
	return c, err
}

// channel is what a service tells of a channel, as one.
func channel[S live.Source](key string, topics []string, source func() S, allowed func(context.Context) error, err error) (live.Channel, error) {
	return live.Channel{Key: key, Topics: topics, New: func() live.Source { return source() }, Allowed: allowed}, err
}

// inWords is a channel whose data are put into the types of the schema, once for all who follow.
func inWords(c live.Channel, err error) (live.Channel, error) {
	source := c.New
	c.New = func() live.Source { return worded{source()} }
	return c, err
}

// worded is a source whose data are those of the schema.
type worded struct{ live.Source }

// Apply implements live.Source.
func (w worded) Apply(change any) any { return liveData(w.Source.Apply(change)) }

// Snapshot implements live.Source.
func (w worded) Snapshot() any { return liveData(w.Source.Snapshot()) }

// Merge implements live.Merger: of what a source that is worded tells, only the events are not a whole list.
func (w worded) Merge(older, newer any) any {
	a, _ := older.(model.SecurityEventList)
	if b, ok := newer.(model.SecurityEventList); ok {
		return model.SecurityEventList{Events: slices.Concat(b.Events, a.Events)}
	}
	return newer
}

// Stale implements live.Staler.
func (w worded) Stale() bool {
	s, ok := w.Source.(live.Staler)
	return ok && s.Stale()
}

// liveData is what a source gave as a member of the union.
func liveData(v any) any {
	switch v := v.(type) {
	case webauth.SessionList:
		return model.SessionList{Sessions: v.Sessions}
	case webauth.SecurityEventList:
		list := model.SecurityEventList{Events: make([]model.SecurityEvent, len(v.Events))}
		for i, e := range v.Events {
			list.Events[i] = securityEvent(e)
		}
		return list
	default:
		return v
	}
}

func isChannelKey(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
