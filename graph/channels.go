package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/live"
)

// family opens the channel an input asks for. A new family is one more field of ChannelInput and one more case here: its
// service says who may follow what, and its source satisfies live.Source.
func (r *Resolver) family(in model.ChannelInput) (func(ctx context.Context) (live.Channel, error), error) {
	given := 0
	for _, is := range []bool{in.Report != nil, in.Documents != nil} {
		if is {
			given++
		}
	}
	if given != 1 || !isChannelKey(in.Key) {
		return nil, live.ErrChannels
	}
	if in.Report != nil {
		return func(ctx context.Context) (live.Channel, error) {
			key, topics, source, allowed, err := r.Analytics.ReportChannel(ctx, reportQuery(*in.Report))
			return live.Channel{Key: key, Topics: topics, New: func() live.Source { return source() }, Allowed: allowed}, err
		}, nil
	}
	return func(ctx context.Context) (live.Channel, error) {
		key, topics, source, allowed, err := r.Documents.ListChannel(ctx, in.Documents.Type, in.Documents.First)
		return live.Channel{Key: key, Topics: topics, New: func() live.Source { return source() }, Allowed: allowed}, err
	}, nil
}

func isChannelKey(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
