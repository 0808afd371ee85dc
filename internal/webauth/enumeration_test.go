package webauth

import (
	"context"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/throttle"
	"github.com/backendbook/backendbook/internal/ticket"
)

// hashMiB is what a hash of these tests takes, and by what they are counted: the tests run alone, and nothing else of a
// flow takes a tenth of it.
const hashMiB = 16

// work is what a flow cost.
type work struct {
	finds, writes, inserts, commits, all int
	hashes                               int
}

// workOf counts what fn does for its context.
func (w *world) workOf(fn func(ctx context.Context)) work {
	w.t.Helper()
	ctx, c := store.WithCounter(w.ctx())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn(ctx)
	runtime.ReadMemStats(&after)
	return work{
		finds: c.Count("find"), writes: c.Count("findAndModify") + c.Count("update"), inserts: c.Count("insert"),
		commits: c.Count("commitTransaction"), all: c.Total(), hashes: int((after.TotalAlloc - before.TotalAlloc) / (hashMiB << 20)),
	}
}

// newCountedWorld must not run beside other tests.
func newCountedWorld(t *testing.T) *world {
	t.Helper()
	return newWorld(t, options{hashing: account.Config{Cost: account.Cost{MemoryKiB: hashMiB << 10, Passes: 1, Threads: 1}, HashWait: time.Minute}})
}

// alike compares the work of a flow for several people, and checks that it is not nothing.
func (w *world) alike(what string, hashes int, of map[string]work) {
	w.t.Helper()
	var first work
	for who, one := range of {
		if first == (work{}) {
			first = one
		}
		if one != first || one.all == 0 || one.hashes != hashes {
			w.t.Errorf("%s costs %+v for %s, and %+v for another one; want %d hashes", what, one, who, first, hashes)
		}
	}
}

// Requirement 1: whoever registers an address that is known gets the answer and the work of any other; the mail alone
// differs, and it goes to the owner.
func TestReq01RegisteringAKnownAddress(t *testing.T) {
	w := newCountedWorld(t)
	w.made(ada)
	w.asked(w.ctx(), registration("waiting@example.org"))
	costs := map[string]work{}
	var answers []VerificationRequired
	for email, mailed := range map[string]string{ada: "already_registered", "new@example.org": "verify_email", "waiting@example.org": "verify_email"} {
		w.leaves("Register()", func() {
			costs[email] = w.workOf(func(ctx context.Context) {
				v, err := w.Register(ctx, registration(email))
				w.must(err)
				if v.Email != email {
					t.Errorf("Register() = %+v", v)
				}
				v.Email, v.Flow = "", v.Flow[:4]
				answers = append(answers, v)
			})
		}, "", mailed+" "+email)
	}
	w.alike("Register()", 1, costs)
	for _, a := range answers[1:] {
		if a != answers[0] {
			t.Errorf("Register() = %+v, and %+v", a, answers[0])
		}
	}
	if l := w.last(ada, "already_registered"); l.Code != "" || l.Link != "" {
		t.Errorf("the owner's mail says %q and %q", l.Code, l.Link)
	}
}

// The flow of a registration of a known address looks good and leads nowhere.
func TestReq01TheFlowOfAKnownAddress(t *testing.T) {
	w := newCountedWorld(t)
	w.made(ada)
	known, err := w.Register(w.ctx(), registration(ada))
	w.must(err)
	fresh, err := w.Register(w.ctx(), registration(bob))
	w.must(err)
	costs := map[string]work{}
	for who, v := range map[string]VerificationRequired{"known": known, "unknown": fresh} {
		costs[who] = w.workOf(func(ctx context.Context) {
			o, err := w.VerifyEmail(ctx, VerifyCmd{Entry: bearer, Flow: v.Flow, Code: "000000"})
			w.nobody("a guessed code", o, err, ticket.ErrInvalid)
		})
	}
	w.alike("VerifyEmail()", 0, costs)
	costs = map[string]work{}
	for who, v := range map[string]VerificationRequired{"known": known, "unknown": fresh} {
		costs[who] = w.workOf(func(ctx context.Context) {
			m, err := w.ResendVerification(ctx, v.Flow)
			if err != nil || m.Flow != v.Flow {
				t.Errorf("ResendVerification() = %+v, %v", m, err)
			}
		})
	}
	w.alike("ResendVerification()", 0, costs)
}

// Requirement 2: a wrong password is answered alike for everybody, and costs alike.
func TestReq02WrongPasswords(t *testing.T) {
	w := newCountedWorld(t)
	_, err := w.Create(w.sys(), account.CreateCmd{Email: ada, Name: "Ada", Password: goodPassword, Username: "ada"})
	w.must(err)
	_, err = w.Create(w.sys(), account.CreateCmd{Email: bob, Name: "Bob"})
	w.must(err)
	off := w.made("off@example.org")
	_, err = w.DisableUser(w.sys(), off.ID)
	w.must(err)
	w.asked(w.ctx(), registration("waiting@example.org"))
	costs, answers := map[string]work{}, map[string]*fault.Error{}
	for who, identifier := range map[string]string{
		"known": ada, "by username": "ada", "without password": bob, "disabled": "off@example.org", "waiting": "waiting@example.org",
		"unknown": "eve@example.org", "unknown username": "eve", "impossible": "@", "empty": "",
	} {
		costs[who] = w.workOf(func(ctx context.Context) {
			o, err := w.SignIn(ctx, w.password(identifier, newPassword))
			w.nobody(who, o, err, account.ErrCredentials)
			answers[who] = fault.From(err)
		})
	}
	first := costs["known"]
	for who, one := range costs { // one without a name is not counted by name, which saves a write
		if who == "impossible" || who == "empty" {
			one.writes, one.all = one.writes+1, one.all+1
		}
		costs[who] = one
	}
	w.alike("SignIn()", 1, costs)
	if first.finds != 3 {
		t.Errorf("SignIn() reads %d times: its comment is wrong", first.finds)
	}
	for who, a := range answers {
		if !reflect.DeepEqual(*a, *answers["known"]) {
			t.Errorf("%s is answered %+v, a known one %+v", who, a, answers["known"])
		}
	}
	for _, e := range w.told(kindFailed) {
		if s := e.Data.String(); s != `{"method": "pwd","code": "BAD_CREDENTIALS"}` {
			t.Errorf("told %s", s)
		}
	}
	if n := len(w.told(kindFailed)); n != len(costs) {
		t.Errorf("%d facts of %d failures", n, len(costs))
	}
}

// Requirement 25, and the same for the mail to sign in with: known or not, the answer and the work are the same, each gets
// a mail, and an address gets five at once.
func TestReq25AskingForAMail(t *testing.T) {
	w := newCountedWorld(t)
	w.made(ada)
	off := w.made("off@example.org")
	_, err := w.DisableUser(w.sys(), off.ID)
	w.must(err)
	flows := []struct {
		name, template string
		ask            func(ctx context.Context, email string) (MailSent, error)
	}{
		{"RequestPasswordReset()", "reset_password", w.RequestPasswordReset},
		{"RequestSignInMail()", "sign_in", w.RequestSignInMail},
	}
	for _, tc := range flows {
		costs := map[string]work{}
		for email, mailed := range map[string]string{ada: tc.template, "off@example.org": tc.template, "eve@example.org": "unknown_account"} {
			w.leaves(tc.name, func() {
				costs[email] = w.workOf(func(ctx context.Context) {
					m, err := tc.ask(ctx, " "+email)
					if err != nil || len(m.Flow) < 40 || !m.ExpiresAt.Equal(w.clock.Now().Add(15*time.Minute)) {
						t.Errorf("%s = %+v, %v", tc.name, m, err)
					}
				})
			}, "", mailed+" "+email)
		}
		w.alike(tc.name, 0, costs)
		_, err := tc.ask(w.ctx(), "eve")
		w.is(tc.name+" of no address", err, account.ErrEmailInvalid)
	}
	for _, tc := range flows {
		w.clock.Advance(10 * time.Minute)
		for _, email := range []string{ada, "eve@example.org"} {
			for range 5 {
				_, err := tc.ask(w.ctx(), email)
				w.must(err)
			}
			_, err := tc.ask(from(w.ctx(), "203.0.113.9"), email)
			if w.is("the sixth", err, throttle.ErrLimited); fault.From(err).Details["retryAfter"] != 60 {
				t.Errorf("the sixth mail to %s is refused with %v", email, fault.From(err).Details)
			}
		}
	}
}

// An address somebody adds to their account is answered alike, whether it is another's or nobody's.
func TestReq01AddingAKnownAddress(t *testing.T) {
	w := newCountedWorld(t)
	w.made(bob)
	in := w.person(ada)
	costs := map[string]work{}
	for email, mailed := range map[string]string{bob: "already_registered", "new@example.org": "confirm_address"} {
		w.leaves("AddEmail()", func() {
			costs[email] = w.workOf(func(ctx context.Context) {
				_, err := w.AddEmail(actor.With(ctx, actor.From(w.as(in.Token))), email, false)
				w.must(err)
			})
		}, "", mailed+" "+email)
	}
	w.alike("AddEmail()", 0, costs)
}
