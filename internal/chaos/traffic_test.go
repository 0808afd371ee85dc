package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// deed is one thing that a client wants done, with all that came of it.
type deed struct {
	kind  string
	n     int
	acked bool // a server said that it is done
	known bool // and that it is, or never will be
	last  string
}

// key is the same for each try of a deed.
func (d *deed) key() string { return fmt.Sprintf("%s-%06d", d.kind, d.n) }

// history is what the clients have seen.
type history struct {
	mu       sync.Mutex
	deeds    []*deed
	late     []string
	rights   []look
	revoked  []time.Time // when a revocation was acknowledged, and until when it stood
	restored []time.Time
}

// look is one question that a right decides.
type look struct {
	at      time.Time // when it was asked
	allowed bool
}

func (h *history) begin(kind string) *deed {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := &deed{kind: kind, n: len(h.deeds)}
	h.deeds = append(h.deeds, d)
	return d
}

// of are the deeds of a kind.
func (h *history) of(kind string) (all []*deed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.deeds {
		if d.kind == kind {
			all = append(all, d)
		}
	}
	return all
}

// world is all that takes part.
type world struct {
	t       *testing.T
	set     *replicaSet
	servers []*server
	history history
	client  *http.Client

	document string // to be read, by those who only load
	root     *caller
	guest    *caller
	rootID   string
	guestID  string
	role     string // that lets the guest look at users
	grant    string
}

func (w *world) any() *server { return w.servers[rand.IntN(len(w.servers))] }

// operations are how deeds are done.
func (w *world) operation(d *deed) (query string, variables map[string]any) {
	in := func(v map[string]any) map[string]any { return map[string]any{"in": v} }
	switch d.kind {
	case "document":
		return `mutation($in: CreateDocumentInput!) { createDocument(input: $in) { document { id } } }`,
			in(map[string]any{"type": "note", "data": map[string]any{"text": d.key()}})
	case "use":
		return `mutation($in: ConsumeFeatureInput!) { consumeFeature(input: $in) { __typename } }`,
			in(map[string]any{"user": w.guestID, "feature": "api.calls", "source": "chaos", "id": d.key()})
	case "event":
		return `mutation($in: TrackInput!) { track(input: $in) { accepted } }`,
			in(map[string]any{"events": []any{map[string]any{"id": d.key(), "name": "chaos"}}})
	default:
		return `mutation($in: PublishInput!) { publish(input: $in) { message { number } } }`,
			in(map[string]any{"topic": "chaos", "data": map[string]any{"deed": d.key()}})
	}
}

// definite are the codes after which nothing was done, and trying again changes that of itself in no way.
var definite = map[string]bool{"QUOTA_EXCEEDED": true}

// try does a deed once, on some server.
func (w *world) try(d *deed) {
	query, variables := w.operation(d)
	r, late, err := w.root.do(w.any(), query, variables, d.key())
	w.history.mu.Lock()
	defer w.history.mu.Unlock()
	if late {
		w.history.late = append(w.history.late, d.key())
	}
	switch code := r.code(); {
	case err != nil:
		d.last = err.Error()
	case code == "" || code == "ALREADY_APPLIED":
		d.acked, d.known = true, true
	default:
		d.last, d.known = code, definite[code]
	}
}

// work does deeds until stop, each until it is known what became of it or it has been tried often enough.
func (w *world) work(kind string, stop <-chan struct{}) {
	for {
		d := w.history.begin(kind)
		for tries := 0; !d.known && tries < 5; tries++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(10+rand.IntN(40)) * time.Millisecond): // the pace of the client
			}
			w.try(d)
		}
	}
}

const (
	lookQuery   = `{ users(first: 1) { nodes { id } } }`
	grantQuery  = `mutation($in: GrantRoleInput!) { grantRole(input: $in) { grant { id } } }`
	revokeQuery = `mutation($in: RevokeGrantInput!) { revokeGrant(input: $in) { rev } }`
)

// looks asks again and again for what a right decides.
func (w *world) looks(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(30 * time.Millisecond): // the pace of the client
		}
		at := time.Now()
		if r, _, err := w.guest.do(w.any(), lookQuery, nil, ""); err == nil {
			w.history.mu.Lock()
			w.history.rights = append(w.history.rights, look{at, r.code() == ""})
			w.history.mu.Unlock()
		}
	}
}

// gives grants and takes away the right that looks are decided by.
func (w *world) gives(stop <-chan struct{}) {
	must := func(query string, in map[string]any, key string) (r reply, done bool) {
		for {
			select {
			case <-stop:
				return r, false
			default:
			}
			if r, _, err := w.root.do(w.any(), query, map[string]any{"in": in}, key); err == nil && (r.code() == "" || r.code() == "GRANT_UNKNOWN" || r.code() == "NOT_FOUND" || r.code() == "ALREADY_APPLIED") {
				return r, true
			}
			time.Sleep(50 * time.Millisecond) // the pace of the client
		}
	}
	for n := 0; ; n++ {
		if _, done := must(revokeQuery, map[string]any{"grant": w.grant}, fmt.Sprint("revoke-", n)); !done {
			return
		}
		w.history.mu.Lock()
		w.history.revoked = append(w.history.revoked, time.Now())
		w.history.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(8 * time.Second): // longer than a right may outlive its end
		}
		w.history.mu.Lock()
		w.history.restored = append(w.history.restored, time.Now())
		w.history.mu.Unlock()
		r, done := must(grantQuery, map[string]any{"role": w.role, "member": w.guestID}, fmt.Sprint("grant-", n))
		if !done {
			return
		}
		if w.grant = text(r.Data, "grantRole", "grant", "id"); w.grant == "" {
			return // the answer is lost: nobody knows what to take away
		}
	}
}
