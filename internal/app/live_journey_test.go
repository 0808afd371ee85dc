package app_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/ref"
)

// visitorDid is an event of a visitor, in a session of the same name.
func visitorDid(actor, name string, dims map[string]any) map[string]any {
	return map[string]any{"id": ref.NewID(), "name": name, "actor": actor, "session": actor + "-s1", "dims": dims}
}

func trackAll(c *apptest.Client, events ...map[string]any) {
	c.Must(`mutation($in: TrackInput!) { track(input: $in) { accepted } }`, map[string]any{"in": map[string]any{"events": events}})
}

// signUps are the questions of these tests.
var signUps = map[string]map[string]any{
	"funnel": {
		"steps":         []any{map[string]any{"event": "visit"}, map[string]any{"event": "sign-up", "where": []any{map[string]any{"dimension": "plan", "in": []any{"pro"}}}}},
		"windowSeconds": 3600, "by": "from", "lastDays": 1,
	},
	"retention": {"start": map[string]any{"event": "visit"}, "return": map[string]any{"event": "sign-up"}, "period": "DAY", "last": 1, "periods": 0},
	"paths":     {"anchor": map[string]any{"event": "visit"}, "depth": 1, "lastDays": 1},
	"events":    {"filter": map[string]any{"names": []any{"sign-up"}}, "last": 5},
}

func journeyChannels() (all []map[string]any) {
	for family, in := range signUps {
		all = append(all, map[string]any{"key": family, family: in})
	}
	return all
}

// TestLiveJourneys: what one node stores, funnels, retention, paths and the tail on another show; who may not see events
// sees nothing of it, and who may not any more, the end.
func TestLiveJourneys(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	u, uid := user(t, a, "analyst")
	stranger, _ := user(t, b, "stranger")
	reader := newRole(t, root, map[string]any{"key": "event-reader", "permissions": []any{"analytics.event.read"}})
	granted(t, root, map[string]any{"role": reader, "member": uid})

	trackAll(root, visitorDid("visitor-1", "visit", map[string]any{"from": "mail"}))
	refused := follow(t, b, stranger.Token, journeyChannels()...)
	f := follow(t, b, u.Token, journeyChannels()...)
	first, noticed := map[string]string{}, map[string]string{}
	for len(first) < 4 {
		m := f.until("the first message of each channel", func(m message) bool { return first[m.Channel] == "" })
		if first[m.Channel] = m.Kind; m.Channel == "funnel" && fmt.Sprint(at(t, m.Data, "steps", 0, "entered")) != "1" {
			t.Errorf("the funnel begins with %v", m.Data)
		}
	}
	for len(noticed) < 4 {
		m := refused.until("a refusal of each channel", func(m message) bool { return noticed[m.Channel] == "" })
		noticed[m.Channel] = m.Kind + m.Error.Code
	}
	if got := slices.Compact(slices.Sorted(maps.Values(first))); !slices.Equal(got, []string{"SNAPSHOT"}) {
		t.Errorf("the first messages are %v", first)
	}
	if got := slices.Compact(slices.Sorted(maps.Values(noticed))); !slices.Equal(got, []string{"NOTICEFORBIDDEN"}) {
		t.Errorf("a stranger is told %v", noticed)
	}

	trackAll(root, visitorDid("visitor-2", "visit", nil), visitorDid("visitor-1", "sign-up", map[string]any{"plan": "pro"}))
	want := map[string]func(message) bool{
		"funnel": func(m message) bool {
			return fmt.Sprint(at(t, m.Data, "steps", 0, "entered"), at(t, m.Data, "steps", 1, "entered"), at(t, m.Data, "groups")) == "2 1 [map[key:$none] map[key:mail]]"
		},
		"retention": func(m message) bool {
			return fmt.Sprint(at(t, m.Data, "cohorts")) == "[map[cells:[map[count:1 period:0]] size:2]]"
		},
		"paths": func(m message) bool {
			return fmt.Sprint(at(t, m.Data, "levels", 0, "links")) == "[map[from:visit sessions:1 to:$end] map[from:visit sessions:1 to:sign-up]]"
		},
		"events": func(m message) bool {
			return fmt.Sprint(at(t, m.Data, "events", 0, "dims"), at(t, m.Data, "skipped")) == "map[plan:pro] 0" && at(t, m.Data, "events", 0, "actor") == "visitor-1"
		},
	}
	for len(want) > 0 {
		m := f.until(fmt.Sprint("the new events in ", slices.Collect(maps.Keys(want))), func(m message) bool {
			is, ok := want[m.Channel]
			return ok && m.Kind == "DELTA" && is(m)
		})
		delete(want, m.Channel)
	}

	demote(t, root, uid)
	ended := map[string]string{}
	for len(ended) < 4 {
		m := f.until("the end of each channel", func(m message) bool { return m.Kind == "NOTICE" && ended[m.Channel] == "" })
		ended[m.Channel] = m.Error.Code
	}
	if got := slices.Compact(slices.Sorted(maps.Values(ended))); !slices.Equal(got, []string{"CHANNEL_ENDED"}) {
		t.Errorf("the channels ended with %v", ended)
	}
}

// TestJourneysOverHTTP: the same questions once, the events themselves, and who is behind a number.
func TestJourneysOverHTTP(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	u, _ := user(t, s, "ursula")
	trackAll(root, visitorDid("visitor-1", "visit", nil), visitorDid("visitor-2", "visit", nil), visitorDid("visitor-2", "sign-up", map[string]any{"plan": "pro"}))
	got := root.Must(`query($f: FunnelInput!, $r: RetentionInput!, $p: PathsInput!) {
		funnel(input: $f) { steps { entered converted dropped } read }
		retention(input: $r) { cohorts { size cells { count share complete } } }
		paths(input: $p) { sessions levels { links { from to share } other } }
		events(first: 1, filter: {actor: "visitor-2"}) { nodes { name dims values user } pageInfo { hasNextPage endCursor } }
	}`, map[string]any{"f": signUps["funnel"], "r": signUps["retention"], "p": signUps["paths"]})
	if text := fmt.Sprint(got["funnel"]); text != "map[read:3 steps:[map[converted:1 dropped:1 entered:2] map[converted:1 dropped:0 entered:1]]]" {
		t.Errorf("%s", text)
	}
	if text := fmt.Sprint(got["retention"]); text != "map[cohorts:[map[cells:[map[complete:false count:1 share:0.5]] size:2]]]" {
		t.Errorf("%s", text)
	}
	if text := fmt.Sprint(got["paths"]); text != "map[levels:[map[links:[map[from:visit share:0.5 to:$end] map[from:visit share:0.5 to:sign-up]] other:0]] sessions:2]" {
		t.Errorf("%s", text)
	}
	if at(t, got, "events", "pageInfo", "hasNextPage") != true || len(at(t, got, "events", "nodes").([]any)) != 1 {
		t.Errorf("%v", got["events"])
	}
	next := root.Must(`query($c: String!) { events(first: 1, after: $c, filter: {actor: "visitor-2"}) { nodes { name } pageInfo { hasNextPage } } }`,
		map[string]any{"c": text(t, got, "events", "pageInfo", "endCursor")})
	if at(t, next, "events", "pageInfo", "hasNextPage") != false {
		t.Errorf("%v", next)
	}
	behind := root.Must(`query($in: BehindInput!) { behind(input: $in, first: 5) { nodes { id events } } }`,
		in(map[string]any{"funnel": map[string]any{"funnel": signUps["funnel"], "step": 1, "dropped": true}}))
	if text := fmt.Sprint(behind); text != "map[behind:map[nodes:[map[events:1 id:visitor-1]]]]" {
		t.Errorf("%s", text)
	}
	bad := root.Do(`{ behind(input: {funnel: {step: 1, funnel: {steps: [{event: "a"}], windowSeconds: 1, lastDays: 1}}}) { nodes { id } } }`, nil)
	if bad.Code() != "BAD_USER_INPUT" || bad.Errors[0].Extensions["field"] != "input.funnel.funnel.steps" {
		t.Errorf("%+v", bad.Errors)
	}
	for _, query := range []string{
		`{ events { nodes { id } } }`,
		`{ paths(input: {anchor: {event: "visit"}, lastDays: 1}) { sessions } }`,
		`{ behind(input: {point: {metric: "flights", from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z"}}) { nodes { id } } }`,
	} {
		if r := u.Do(query, nil); r.Code() != "FORBIDDEN" {
			t.Errorf("%s for a member: %+v", query, r.Errors)
		}
	}
}
