package config

import (
	"net"
	"net/url"
	"strings"

	"github.com/backendbook/backendbook/internal/keyring"
)

// check looks at the settings together. It also fills in what follows from others. broken tells that some were not
// even read; then only what stands alone is looked at.
func (c *Config) check(broken bool) []string {
	var problems []string
	add := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	_, port, err := net.SplitHostPort(c.Listen)
	add(err == nil && port != "", "listen must be host:port, such as :8080")
	if c.HasInternal() {
		_, _, err := net.SplitHostPort(c.InternalListen)
		add(err == nil, "internal-listen must be host:port, or empty for none")
		add(c.InternalListen != c.Listen || port == "0", "internal-listen must differ from listen: it shows the inside of the server")
	}
	if c.PublicURL == "" && !c.IsProduction() {
		c.PublicURL = "http://localhost:" + port
	}
	if c.PublicURL != "" {
		add(isOrigin(c.PublicURL), "public-url must be scheme://host, with a port if it is not the usual one, and no path")
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	for _, o := range c.AllowedOrigins {
		add(isOrigin(o) && !strings.HasSuffix(o, "/"), "allowed-origins: "+o+" is not scheme://host[:port]")
	}
	if broken {
		return problems
	}
	add(c.Session.Idle <= c.Session.Absolute, "session.idle must not be longer than session.absolute")
	add(c.Session.Brief <= c.Session.Absolute, "session.brief must not be longer than session.absolute")
	add(c.Session.Access <= c.Session.Absolute, "session.access must not be longer than session.absolute")
	if c.SecretKeys != "" {
		_, err := keyring.Parse(c.SecretKeys)
		add(err == nil, "secret-keys must be id:key[,id:key…], each key 32 bytes in base64: `backendbook config new-key` makes one")
	}
	add(c.GraphQL.Timeout <= c.GraphQL.MaxTimeout, "graphql.timeout must not be longer than graphql.max-timeout")
	add(c.Plans.Payments != "stripe" || c.Plans.StripeKey != "" && c.Plans.StripeWebhookSecret != "",
		"plans.payments: stripe needs plans.stripe-key and plans.stripe-webhook-secret")
	add(c.Telemetry.Endpoint == "" || isCollector(c.Telemetry.Endpoint), "telemetry.endpoint must be http:// or https://, without a user, such as http://localhost:4318")
	problems = append(problems, c.Attachments.check()...)
	if c.IsProduction() {
		problems = append(problems, c.checkProduction()...)
	}
	return problems
}

// checkProduction names what is only good for development.
func (c *Config) checkProduction() []string {
	var problems []string
	add := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, "production: "+problem)
		}
	}
	add(strings.HasPrefix(c.PublicURL, "https://"),
		"public-url must be the https:// address browsers use: without it the session cookie can be stolen on the way")
	for _, o := range c.AllowedOrigins {
		add(strings.HasPrefix(o, "https://"), "allowed-origins: "+o+" must be https://")
	}
	if c.MongoDB.URI == "" {
		add(c.Managed.AllowInProduction, "set MONGODB_URI to a replica set; the managed MongoDB is one node without backup "+
			"or failover. If that is what you want, say managed.allow-in-production: true")
	} else {
		add(hasCredential(c.MongoDB.URI), "MONGODB_URI must hold a user with a password of its own, or an authMechanism")
	}
	add(c.SecretKeys != "", "secret-keys must hold a key of your own: `backendbook config new-key` makes one. Keep it: what it has sealed nothing else opens")
	add(c.Mail.Host != "" && c.Mail.From != "", "mail.host and mail.from must be set: without mail nobody can register or reset a password, "+
		"and the development mailbox shows everybody's links")
	add(c.Mail.TLS != "none" || c.Mail.User == "", "mail.tls must not be none with a user: the password would cross the network in the clear")
	add(c.hashCost().Acceptable(), "auth.hash-memory and auth.hash-passes are too low: at least 19456 with 2, or 47104 with 1 (OWASP)")
	add(c.Plans.Payments != "test", "plans.payments must not be test: nobody would pay")
	add(c.Attachments.Storage != "s3" || !strings.HasPrefix(c.Attachments.S3Endpoint, "http://"),
		"attachments.s3-endpoint must be https://: files and their keys would cross the network in the clear")
	add(!c.Demo.Enabled, "demo.enabled must be false: its users have known passwords")
	return problems
}

// check looks at the settings of attachments together.
func (a Attachments) check() []string {
	var problems []string
	add := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	if a.Storage == "s3" {
		add(a.S3Endpoint != "" && a.S3Bucket != "" && a.S3AccessKey != "" && a.S3SecretKey != "",
			"attachments.storage: s3 needs attachments.s3-endpoint, s3-bucket, s3-access-key and s3-secret-key")
		add(a.S3Endpoint == "" || isOrigin(a.S3Endpoint), "attachments.s3-endpoint must be https://host[:port]")
	} else {
		add(a.S3Endpoint == "" && a.S3Bucket == "", "attachments.s3-endpoint and s3-bucket are for attachments.storage: s3")
	}
	add(a.Dir == "" || a.Storage == "files", "attachments.dir is for attachments.storage: files")
	for _, t := range a.Types {
		family, kind, _ := strings.Cut(t, "/")
		add(family != "" && family != "*" && kind != "", "attachments.types: "+t+" is no media type, such as image/png or image/*")
	}
	if a.Clamd != "" && !strings.HasPrefix(a.Clamd, "/") {
		_, port, err := net.SplitHostPort(a.Clamd)
		add(err == nil && port != "", "attachments.clamd must be host:port or the path of a socket")
	}
	return problems
}

// isOrigin reports whether text is scheme://host[:port], with or without a slash at the end.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" && !strings.Contains(u.Host, "*")
}

// isCollector reports whether text is the address of a collector, which may have a path.
func isCollector(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.RawQuery == ""
}

// hasCredential reports whether a connection string names a user whose password is not one of the samples. It cuts by
// hand: net/url refuses the list of hosts a connection string may have.
func hasCredential(uri string) bool {
	_, rest, _ := strings.Cut(uri, "://")
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndex(authority, "@")
	if at < 0 {
		return strings.Contains(strings.ToLower(uri), "authmechanism=")
	}
	_, pass, _ := strings.Cut(authority[:at], ":")
	if p, err := url.PathUnescape(pass); err == nil {
		pass = p
	}
	switch strings.ToLower(pass) {
	case "change-me", "changeme", "password", "secret", "example", "backendbook": // of examples, ours among them
		return false
	}
	return pass != "" || strings.Contains(strings.ToLower(uri), "authmechanism=")
}
