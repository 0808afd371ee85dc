package graph

import (
	"context"
	"strings"
	"time"

	"github.com/mileusna/useragent"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// client is a user agent in words, such as "Firefox on Linux"; what it says of itself is not to be relied on.
func client(agent string) string {
	ua := useragent.Parse(agent)
	words := make([]string, 0, 3)
	if ua.Name != "" {
		words = append(words, ua.Name)
	}
	if ua.OS != "" {
		words = append(words, "on", ua.OS)
	}
	return cut(strings.Join(words, " "), maxEcho)
}

func sessions(ctx context.Context, p page.Page[session.Session], err error) (*model.SessionConnection, error) {
	if err != nil {
		return nil, err
	}
	return &model.SessionConnection{
		Edges: edges(ctx, p, func(cursor string, s session.Session) model.SessionEdge {
			return model.SessionEdge{Cursor: cursor, Node: s}
		}),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}

// secret is the secrets of a session in an answer: null for who has got them as a cookie.
func secret(s session.Secrets) (token *string, until *time.Time, refresh *string) {
	if s.Token == "" {
		return nil, nil, nil
	}
	return &s.Token, &s.ExpiresAt, some(s.Refresh)
}

func stepUp(v webauth.StepUp) *model.StepUp {
	out := &model.StepUp{AuthenticatedAt: v.At, FreshUntil: v.FreshUntil, Factors: make([]model.FactorKind, len(v.Factors))}
	for i, k := range v.Factors {
		out.Factors[i] = model.FactorKind(k)
	}
	for word, level := range levels {
		if level == v.Level {
			out.Level = word
		}
	}
	return out
}

func securityEvent(e webauth.SecurityEvent) model.SecurityEvent {
	return model.SecurityEvent{ID: e.ID, Kind: e.Kind, At: e.At, IP: some(e.IP), Own: e.Own}
}
