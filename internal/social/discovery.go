package social

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/backendbook/backendbook/internal/clock"
)

const (
	metadataFor   = time.Hour        // how long it is kept
	metadataPause = 30 * time.Second // after a failure, before the provider is asked again
)

// discovery finds out how to speak to a provider of OpenID Connect, and remembers.
type discovery struct {
	p     Provider
	back  string
	http  *http.Client
	now   clock.Clock
	plain bool // whether http is allowed

	turn     chan struct{} // held by whoever looks at the fields below: one asks, the others wait, each as long as it likes
	known    *oidcPeer     // the last good answer; nil before it
	knownAt  time.Time
	failure  error // of the last question; nil when it was answered
	failedAt time.Time
}

func newDiscovery(p Provider, back string, client *http.Client, now clock.Clock, plain bool) *discovery {
	return &discovery{p: p, back: back, http: client, now: now, plain: plain, turn: make(chan struct{}, 1)}
}

// open gives what is known, and asks the provider when that is old. A failure is not repeated at once: people who try
// again must not wait for it each time, nor the provider be flooded when it comes back.
//
// Errors: PROVIDER_UNAVAILABLE.
func (d *discovery) open(ctx context.Context) (peer, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, unavailable(d.p.Key, ctx.Err())
	}
	now := d.now()
	fresh := d.known != nil && now.Sub(d.knownAt) < metadataFor
	if paused := d.failure != nil && now.Sub(d.failedAt) < metadataPause; !fresh && !paused {
		found, err := d.ask(ctx)
		switch {
		case err == nil:
			d.known, d.knownAt, d.failure = found, now, nil
		case ctx.Err() != nil: // the caller left: that says nothing of the provider
			return nil, unavailable(d.p.Key, ctx.Err())
		default:
			d.failure, d.failedAt = err, now
		}
	}
	if d.known == nil {
		return nil, unavailable(d.p.Key, d.failure)
	}
	return d.known, nil
}

// ask reads what the provider says of itself. One request.
func (d *discovery) ask(ctx context.Context) (*oidcPeer, error) {
	var m metadata
	where := strings.TrimSuffix(d.p.Issuer, "/") + "/.well-known/openid-configuration"
	if err := getJSON(ctx, d.http, where, "", &m); err != nil {
		return nil, err
	}
	if err := m.check(d.p.Issuer, d.plain); err != nil {
		return nil, err
	}
	// The key set outlives this request, so it must not hold the request's values.
	forever := oidc.ClientContext(context.Background(), d.http) //nolint:forbidigo // see above; each fetch ends by the client's own timeout
	return &oidcPeer{
		p: d.p, http: d.http, now: d.now, keys: oidc.NewRemoteKeySet(forever, m.KeysURL), //nolint:contextcheck // as above
		algorithms: m.algorithms(), userURL: m.UserURL, namesSelf: m.NamesSelf,
		conf: &oauth2.Config{
			ClientID: d.p.ClientID, ClientSecret: d.p.ClientSecret, RedirectURL: d.back, Scopes: d.p.Scopes,
			Endpoint: oauth2.Endpoint{AuthURL: m.AuthURL, TokenURL: m.TokenURL, AuthStyle: m.authStyle()},
		},
	}, nil
}

// metadata is what a provider says of itself (OpenID Connect Discovery, RFC 8414, RFC 9207).
type metadata struct {
	Issuer      string   `json:"issuer"`
	AuthURL     string   `json:"authorization_endpoint"`
	TokenURL    string   `json:"token_endpoint"`
	KeysURL     string   `json:"jwks_uri"`
	UserURL     string   `json:"userinfo_endpoint"`
	Algorithms  []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	NamesSelf   bool     `json:"authorization_response_iss_parameter_supported"`
}

// check refuses metadata that we could not follow safely. The reasons quote nothing of it.
func (m metadata) check(issuer string, plain bool) error {
	if m.Issuer != issuer {
		return errors.New("it calls itself by another issuer than the one configured")
	}
	urls := []string{m.AuthURL, m.TokenURL, m.KeysURL}
	if m.UserURL != "" {
		urls = append(urls, m.UserURL)
	}
	for _, u := range urls {
		if checkURL(u, plain) != nil {
			return errors.New("one of its addresses is missing or not https")
		}
	}
	if len(m.algorithms()) == 0 {
		return errors.New("it signs with no algorithm that can be trusted")
	}
	return nil
}

// algorithms are those the provider signs with and we accept. RS256 is what one that says nothing must have.
func (m metadata) algorithms() []string {
	if len(m.Algorithms) == 0 {
		return []string{oidc.RS256}
	}
	return slices.DeleteFunc(slices.Clone(signable), func(a string) bool { return !slices.Contains(m.Algorithms, a) })
}

// authStyle is how the provider wants to know us. Trying one after the other would show it a code twice.
func (m metadata) authStyle() oauth2.AuthStyle {
	if slices.Contains(m.AuthMethods, "client_secret_post") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}
