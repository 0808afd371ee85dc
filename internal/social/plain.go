package social

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"golang.org/x/oauth2"
)

// plain is a provider of OAuth 2.0 without OpenID Connect: who signed in is read at its user endpoint.
type plain struct {
	p    Provider
	conf *oauth2.Config
	http *http.Client
}

func newPlain(p Provider, back string, client *http.Client) *plain {
	style := oauth2.AuthStyleAutoDetect // the header first, as RFC 6749 has it
	if p.Preset == github {
		style = oauth2.AuthStyleInParams
	}
	return &plain{p, &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURL: back, Scopes: p.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL, TokenURL: p.TokenURL, AuthStyle: style},
	}, client}
}

func (p *plain) open(context.Context) (peer, error) { return p, nil }
func (p *plain) config() *oauth2.Config             { return p.conf }
func (p *plain) client() *http.Client               { return p.http }

// checkIssuer has nothing to compare with: such a provider has no name of its own. The path of its callback tells it
// from the others.
func (p *plain) checkIssuer(string) error { return nil }

// plainUser is what a user endpoint says. The id is a number at GitHub and text elsewhere.
type plainUser struct {
	ID            json.RawMessage `json:"id"`
	Subject       json.RawMessage `json:"sub"`
	Name          string          `json:"name"`
	Login         string          `json:"login"`
	Email         string          `json:"email"`
	EmailVerified looseBool       `json:"email_verified"`
}

func (p *plain) claims(ctx context.Context, tokens *oauth2.Token, _ string) (Claims, error) {
	var u plainUser
	if err := getJSON(ctx, p.http, p.p.UserURL, tokens.AccessToken, &u); err != nil {
		return Claims{}, unavailable(p.p.Key, err)
	}
	id := u.Subject
	if id == nil {
		id = u.ID
	}
	c := Claims{Provider: p.p.Key, Issuer: p.p.UserURL, Email: u.Email, EmailVerified: bool(u.EmailVerified), Name: u.Name}
	var ok bool
	if c.Subject, ok = plainID(id); !ok {
		return Claims{}, refuse("the id of the user is neither text nor a whole number")
	}
	if c.Name == "" {
		c.Name = u.Login
	}
	if p.p.Preset == github {
		var err error
		if c.Email, c.EmailVerified, err = p.githubMail(ctx, tokens.AccessToken); err != nil {
			return Claims{}, unavailable(p.p.Key, err)
		}
	}
	return c, nil
}

// plainID reads an id that is a text or a whole number. Another kind of number could be written in several ways, and then
// one person would be several.
func plainID(raw json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, text != ""
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return strconv.FormatInt(n, 10), err == nil
}

// githubMail reads the primary address: the one in the user's profile is for show and may be unverified. Without the
// scope for it there is none.
func (p *plain) githubMail(ctx context.Context, bearer string) (email string, verified bool, err error) {
	var all []struct {
		Email    string    `json:"email"`
		Primary  bool      `json:"primary"`
		Verified looseBool `json:"verified"`
	}
	err = getJSON(ctx, p.http, p.p.UserURL+"/emails", bearer, &all)
	var status statusError
	if errors.As(err, &status) && (status == http.StatusForbidden || status == http.StatusNotFound) {
		return "", false, nil
	}
	for _, one := range all {
		if one.Primary {
			return one.Email, bool(one.Verified), err
		}
	}
	return "", false, err
}
