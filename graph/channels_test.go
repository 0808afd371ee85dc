package graph

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/live"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/webauth"
)

// TestOneFamily: a channel is exactly one of the families, whichever, under a name of plain characters.
func TestOneFamily(t *testing.T) {
	t.Parallel()
	report, documents, own := &model.ReportInput{}, &model.DocumentListInput{}, &model.OwnListInput{}
	for name, tc := range map[string]struct {
		in model.ChannelInput
		ok bool
	}{
		"a report":           {model.ChannelInput{Key: "k", Report: report}, true},
		"documents":          {model.ChannelInput{Key: "k", Documents: documents}, true},
		"sessions":           {model.ChannelInput{Key: "k", MySessions: own}, true},
		"security events":    {model.ChannelInput{Key: "k", MySecurityEvents: own}, true},
		"none":               {model.ChannelInput{Key: "k"}, false},
		"two of one's own":   {model.ChannelInput{Key: "k", MySessions: own, MySecurityEvents: own}, false},
		"two":                {model.ChannelInput{Key: "k", Documents: documents, MySessions: own}, false},
		"all":                {model.ChannelInput{Key: "k", Report: report, Documents: documents, MySessions: own, MySecurityEvents: own}, false},
		"a name of 64":       {model.ChannelInput{Key: strings.Repeat("a.B-_9", 10) + "last", MySessions: own}, true},
		"a name of 65":       {model.ChannelInput{Key: strings.Repeat("a", 65), MySessions: own}, false},
		"no name":            {model.ChannelInput{MySessions: own}, false},
		"a name with blanks": {model.ChannelInput{Key: "my own", MySessions: own}, false},
	} {
		open, err := (&Resolver{}).family(tc.in)
		if tc.ok != (err == nil) || tc.ok != (open != nil) || err != nil && !errors.Is(err, live.ErrChannels) {
			t.Errorf("%s: opener %t, %v", name, open != nil, err)
		}
	}
}

// scripted is a source that says what it is told to.
type scripted struct {
	live.Source
	says  any
	stale bool
}

func (s *scripted) Apply(any) any { return s.says }
func (s *scripted) Snapshot() any { return s.says }

type stalest struct{ *scripted }

func (s stalest) Stale() bool { return s.stale }

// TestWorded: what a source says of one's own reaches the schema in its types, states and deltas alike, and nothing remains
// nothing: a hub takes any value for a delta.
func TestWorded(t *testing.T) {
	t.Parallel()
	at, ip := time.Unix(1, 0), "192.0.2.1"
	one := session.Session{ID: "s", Label: "Phone"}
	for name, tc := range map[string]struct{ says, want any }{
		"sessions": {webauth.SessionList{Sessions: []session.Session{one}}, model.SessionList{Sessions: []session.Session{one}}},
		"facts": {
			webauth.SecurityEventList{Events: []webauth.SecurityEvent{{ID: "e", Kind: "k", At: at, IP: ip, Own: true}, {ID: "f"}}},
			model.SecurityEventList{Events: []model.SecurityEvent{{ID: "e", Kind: "k", At: at, IP: &ip, Own: true}, {ID: "f"}}},
		},
		"no facts": {webauth.SecurityEventList{}, model.SecurityEventList{Events: []model.SecurityEvent{}}},
		"nothing":  {nil, nil},
	} {
		w := worded{&scripted{says: tc.says}}
		if got := w.Apply(nil); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: Apply() = %#v", name, got)
		}
		if got := w.Snapshot(); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: Snapshot() = %#v", name, got)
		}
	}
	if (worded{&scripted{stale: true}}).Stale() {
		t.Error("a source that cannot say so is stale")
	}
	for _, stale := range []bool{false, true} {
		if got := (worded{stalest{&scripted{stale: stale}}}).Stale(); got != stale {
			t.Errorf("Stale() = %t, want %t", got, stale)
		}
	}
}

// TestOwnChannelIsWorded: what a service refuses stays refused, and a channel keeps all but the words of its source.
func TestOwnChannelIsWorded(t *testing.T) {
	t.Parallel()
	refusal := errors.New("no")
	allowed := func(context.Context) error { return refusal }
	made := 0
	source := func() *scripted { made++; return &scripted{says: webauth.SessionList{}} }
	c, err := inWords(channel("key", []string{"topic"}, source, allowed, nil))
	if err != nil || c.Key != "key" || len(c.Topics) != 1 || c.Allowed(t.Context()) != refusal || made != 0 { //nolint:errorlint // the very one
		t.Errorf("inWords() = %+v, %v, after %d sources", c, err, made)
	}
	if _, ok := c.New().Snapshot().(model.SessionList); !ok || made != 1 {
		t.Errorf("the source says %T, after %d sources", c.New().Snapshot(), made)
	}
	if _, err := inWords(channel[*scripted]("", nil, nil, nil, refusal)); !errors.Is(err, refusal) {
		t.Errorf("a refusal became %v", err)
	}
}
