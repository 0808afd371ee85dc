// Package outbound is the HTTP client for addresses that somebody outside chose: providers, webhooks, pictures.
//
// Such an address must not lead into the machine or the network this server runs in, whatever name or redirect it hides
// behind. So the client looks at each address when it connects, after the name was resolved: a check of the URL
// beforehand would be out of date by then (a name can resolve to something else a second later) and would miss redirects.
//
// Invariants: no connection to an address that is not public; no proxy of the environment, which would resolve names by
// itself; an answer ends with an error after Config.MaxBytes and Config.Timeout, never silently; by default no redirect
// is followed, and none ever from https to http.
package outbound
