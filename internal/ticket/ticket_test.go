package ticket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/token"
)

func TestRequestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		r    Request
		ok   bool
	}{
		{"whole", request(true), true},
		{"no subject, no data", Request{Kind: reset, TTL: time.Millisecond}, true},
		{"no kind", Request{TTL: time.Hour}, false},
		{"no lifetime", Request{Kind: reset}, false},
		{"a lifetime that BSON would cut to nothing", Request{Kind: reset, TTL: time.Microsecond}, false},
		{"a lifetime that is over", Request{Kind: reset, TTL: -time.Hour}, false},
	} {
		if err := tc.r.check(); (err == nil) != tc.ok {
			t.Errorf("%s: check() = %v", tc.name, err)
		}
	}
}

func TestLiveEndsOnTheMillisecond(t *testing.T) {
	t.Parallel()
	one := Ticket{ExpiresAt: t0}
	if !one.Live(t0.Add(-time.Millisecond)) || one.Live(t0) || one.Live(t0.Add(time.Hour)) {
		t.Error("a ticket lives up to ExpiresAt and not at it")
	}
}

// secretOnes are values of this package whose printing must not tell the parts of hidden.
func secretOnes(t *testing.T) (values []any, hidden []string) {
	t.Helper()
	flow, _ := token.New(flowPrefix)
	link, _ := token.New(linkPrefix)
	data, err := bson.Marshal(bson.D{{Key: "hash", Value: "argon2id-of-ada"}})
	if err != nil {
		t.Fatal(err)
	}
	one := Ticket{ID: "t1", Kind: reset, Subject: "ada", Data: data}
	made := Issued{Ticket: one, Flow: flow, Link: link, Code: "654321"}
	proof := Proof{Flow: flow, Link: link, Code: "654321"}
	type outer struct{ Inner any }
	values = []any{one, &one, made, &made, proof, &proof, outer{made}, []Issued{made}, []Proof{proof}, map[string]Ticket{"k": one}, outer{Inner: outer{proof}}}
	return values, []string{flow, link, "654321", "argon2id-of-ada", fmt.Sprintf("%x", flow), fmt.Sprintf("%x", "654321")}
}

func TestReq40NoPrintingTellsASecret(t *testing.T) {
	t.Parallel()
	values, hidden := secretOnes(t)
	for i, v := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%t"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		for _, secret := range hidden {
			if strings.Contains(out.String(), secret) {
				t.Errorf("value %d (%T) tells %q:\n%s", i, v, secret, out.String())
			}
		}
	}
	if got := fmt.Sprintf("%v", values[2]); got != "ticket t1 (reset)" {
		t.Errorf("an issued ticket prints as %q", got)
	}
}

func TestIssuedIsNotWrittenWithItsSecrets(t *testing.T) {
	t.Parallel()
	values, hidden := secretOnes(t)
	for _, v := range values[:4] {
		asJSON, err1 := json.Marshal(v)
		asBSON, err2 := bson.Marshal(v)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for _, secret := range hidden[:3] {
			if strings.Contains(string(asJSON), secret) || strings.Contains(string(asBSON), secret) {
				t.Errorf("%T is written with %q", v, secret)
			}
		}
		if strings.Contains(string(asJSON), "data") || !strings.Contains(string(asJSON), "t1") {
			t.Errorf("%T as JSON: %s", v, asJSON)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	raw, err := encode(note{"ada@example.org", 2})
	if err != nil {
		t.Fatal(err)
	}
	var got note
	if err := (Ticket{Data: raw}).Decode(&got); err != nil || got != (note{"ada@example.org", 2}) {
		t.Errorf("Decode() = %v, %v", got, err)
	}
	if raw, err = encode(nil); err != nil {
		t.Fatal(err)
	}
	var empty note
	if err := (Ticket{Data: raw}).Decode(&empty); err != nil || empty != (note{}) {
		t.Errorf("no data: Decode() = %v, %v", empty, err)
	}
	if err := (Ticket{Kind: reset, Data: Raw("broken")}).Decode(&got); err == nil || strings.Contains(err.Error(), "broken") {
		t.Errorf("broken data: Decode() = %v", err)
	}
	if _, err := encode(42); err == nil {
		t.Error("a number is no document")
	}
}
