package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// UseCmd is a use of a feature.
type UseCmd struct {
	Subject ref.Ref
	Feature string
	Amount  int64 // 1 or more
	// Source and ID name the use: the same pair counts once, and a second time has the result of the first. Both or neither.
	Source, ID string
	At         *time.Time // when it was; nil for now
}

// Used is what came of a use.
type Used struct {
	Feature   string
	Used      int64  // after it
	Limit     *int64 // with what was carried over; nil for any number
	Overage   int64  // how much is above a soft limit
	ResetsAt  *time.Time
	Duplicate bool   // it was counted before: this is the result of that time
	Late      bool   // its period is closed, so it counts in the present one
	Hold      string // the reservation, when one was asked for
}

// Remaining is how many are left; nil for any number.
func (u Used) Remaining() *int64 {
	if u.Limit == nil {
		return nil
	}
	return new(max(*u.Limit-u.Used, 0))
}

// The bounds of usage.
const (
	lateness   = time.Hour // a period takes uses so long after its end, unless what is above the limit is billed with it
	holdFor    = 10 * time.Minute
	maxHolds   = 1000 // of one counter
	keepUses   = 90 * 24 * time.Hour
	keepCounts = 400 * 24 * time.Hour
)

// Consume takes n of a feature that is counted or metered from what the subject is allowed, or nothing. It joins the caller's
// transaction, so the use counts if and only if the caller's change commits; of many at once exactly as many pass as the limit
// allows. It asks nobody's leave: the domain that spends calls it. The events plan.quota.near, at 80 %, and plan.quota.exceeded,
// above a soft limit, commit with it, once when the use comes to it. Cost: 1 write; when it comes to 80 % or a limit or is the
// first of a period, a transaction of 1 or 2 reads and 2 writes.
//
// Errors: QUOTA_EXCEEDED with feature, limit, used, plan, resetsAt and allowedBy; FEATURE_UNKNOWN; BAD_USER_INPUT for n below 1.
func (s *Service) Consume(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	_, err := s.use(ctx, UseCmd{Subject: subject, Feature: feature, Amount: n})
	return err
}

// Meter counts a use that has a name, once however often it is sent, as [Service.Consume] does. Needs plan.usage.write.
// Cost: 2 writes and 1 commit; uses that come at once share 2 reads, 2 writes and 1 commit.
//
// Errors: those of Consume, UNAUTHENTICATED, FORBIDDEN, IDEMPOTENCY_CONFLICT.
func (s *Service) Meter(ctx context.Context, c UseCmd) (Used, error) {
	if err := s.authz.Require(ctx, PermUsageWrite, c.Subject); err != nil {
		return Used{}, err
	}
	if len(c.Source) > 200 || len(c.ID) > 200 || c.Source == "" || c.ID == "" {
		return Used{}, fault.ErrInput.Saying("source and id name the use, with 1 to 200 bytes each").On("input.id")
	}
	return s.use(ctx, c)
}

// counting is one use on its way: on which counter, within what.
type counting struct {
	UseCmd

	h        *held
	a        Allowance
	now      time.Time // by the membership's clock
	from, to *time.Time
	late     bool
	hold     bool // only to be reserved
}

// id is the id of the counter.
func (c *counting) id() string { return counterID(c.Subject, c.Feature, c.from) }

func counterID(subject ref.Ref, feature string, from *time.Time) string {
	id := subject.String() + ":" + feature
	if from != nil {
		id += ":" + itoa(from.UnixMilli())
	}
	return id
}

func (s *Service) begin(ctx context.Context, cmd UseCmd) (*counting, error) {
	if cmd.Amount < 1 || cmd.Amount > maxAmount {
		return nil, fault.ErrInput.Saying("only 1 or more of a feature can be used").On("input.amount")
	}
	h, err := s.of(ctx, cmd.Subject)
	if err != nil {
		return nil, err
	}
	a, known := h.all[cmd.Feature]
	switch {
	case !known:
		return nil, ErrUnlimited
	case a.Kind != Counted && a.Kind != Metered:
		return nil, errNotCountable
	}
	c := &counting{UseCmd: cmd, h: h, a: a, now: s.now().Add(h.m.Offset)}
	at := c.now
	if cmd.At != nil && cmd.At.Add(h.m.Offset).Before(c.now) {
		at = cmd.At.Add(h.m.Offset)
	}
	c.from, c.to = h.window(a, at)
	if c.to != nil && !c.to.After(c.now) && (a.soft() || c.now.Sub(*c.to) >= lateness) {
		c.late = true
		c.from, c.to = h.window(a, c.now)
	}
	return c, nil
}

// window is the time in which a feature is counted together with what happens at t; nil when it is never reset.
func (h *held) window(a Allowance, t time.Time) (from, to *time.Time) {
	if a.Kind != Metered || a.Reset == Never {
		return nil, nil
	}
	if a.Reset == EachMonth {
		f, u := monthAround(t, h.m.zone())
		return &f, &u
	}
	f, u := h.place.period(t)
	return &f, &u
}

func (s *Service) use(ctx context.Context, cmd UseCmd) (Used, error) {
	c, err := s.begin(ctx, cmd)
	if err != nil {
		return Used{}, err
	}
	if cmd.ID == "" && !store.InTransaction(ctx) {
		if u, ok, err := s.quick(ctx, c); err != nil || ok {
			return u, err
		}
	}
	if cmd.ID != "" && !store.InTransaction(ctx) {
		return s.line.use(ctx, c, s)
	}
	return s.count(ctx, c)
}

// name is the name of the use.
func (c *counting) name() useID { return useID{c.Subject.String(), c.Source, c.ID} }

// quick counts by one conditional write where nothing but the number changes: the counter is there, nothing is reserved, the
// limit is far enough and neither 80 % nor a soft limit is passed.
func (s *Service) quick(ctx context.Context, c *counting) (Used, bool, error) {
	if c.a.Rollover > 0 || c.hold {
		return Used{}, false, nil
	}
	used, ok, err := s.store.add(ctx, c.id(), c.Amount, calm(c.a, c.Amount))
	return c.result(used, c.a.Limit), ok, err
}

// between is a range of a counter, both ends included; nil for none.
type between struct{ from, to *int64 }

// calm is where a counter may be for n more to change nothing but the number; nil for anywhere.
func calm(a Allowance, n int64) []between {
	if a.Limit == nil {
		return nil
	}
	limit, warn := *a.Limit, near(*a.Limit)
	all := []between{{to: new(warn - 1 - n)}, {from: &warn, to: new(limit - n)}}
	if a.soft() {
		all = append(all, between{from: new(limit + 1)})
	}
	return all
}

func (c *counting) result(used int64, total *int64) Used {
	u := Used{Feature: c.Feature, Used: used, Limit: total, ResetsAt: c.to, Late: c.late}
	if total != nil {
		u.Overage = max(used-*total, 0)
	}
	return u
}

// count counts in a transaction, with everything that may come of it.
func (s *Service) count(ctx context.Context, c *counting) (Used, error) {
	var u Used
	joined := store.InTransaction(ctx)
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if joined && c.ID != "" { // a duplicate key would end the caller's transaction
			if before, found, err := s.store.useOf(ctx, c.UseCmd); err != nil || found {
				u = before.result()
				return errors.Join(err, before.differs(c.UseCmd, found))
			}
		}
		var ok bool
		var err error
		if u, ok, err = s.quick(ctx, c); err != nil {
			return err
		}
		if !ok {
			if u, err = s.careful(ctx, c); err != nil {
				return err
			}
		}
		if c.ID == "" {
			return nil
		}
		return s.store.insertUse(ctx, newUse(c, u, s.now()))
	})
	if c.ID != "" && !joined && (errors.Is(err, errUsedBefore) || errors.Is(err, ErrQuota)) {
		before, found, rerr := s.store.useOf(ctx, c.UseCmd)
		if rerr != nil || found {
			return before.result(), errors.Join(rerr, before.differs(c.UseCmd, found))
		}
	}
	if err != nil {
		return Used{}, err
	}
	return u, nil
}

// errUsedBefore says that a use of that name was counted already.
var errUsedBefore = errors.New("plan: the use was counted before")

// differs refuses a second use of one name that is another use.
func (u useDoc) differs(c UseCmd, found bool) error {
	if found && (u.Feature != c.Feature || u.Amount != c.Amount) {
		return ErrIdem.With("feature", u.Feature).With("amount", u.Amount)
	}
	return nil
}

func (u useDoc) result() Used {
	return Used{
		Feature: u.Feature, Used: u.Used, Limit: u.Limit, Overage: u.Overage, ResetsAt: u.ResetsAt, Late: u.Late, Hold: u.Hold, Duplicate: true,
	}
}

func newUse(c *counting, u Used, now time.Time) useDoc {
	at := now
	if c.At != nil {
		at = *c.At
	}
	return useDoc{
		ID: c.name(), Feature: c.Feature, Amount: c.Amount, At: at, ReceivedAt: now, Used: u.Used, Limit: u.Limit,
		Overage: u.Overage, ResetsAt: u.ResetsAt, Late: u.Late, Hold: u.Hold, ExpiresAt: now.Add(keepUses),
	}
}

// careful reads the counter and writes it, in the transaction of ctx: whoever else writes it meanwhile makes one of the two run
// again.
func (s *Service) careful(ctx context.Context, c *counting) (Used, error) {
	d, found, err := s.counter(ctx, c)
	if err != nil {
		return Used{}, err
	}
	u, before, after, err := s.decide(c, &d)
	if err != nil {
		return Used{}, err
	}
	if err := s.store.putCounter(ctx, d, found); err != nil {
		return Used{}, err
	}
	return u, s.tellLevel(ctx, c.h, c.a, d, before, after)
}

// decide counts a use on its counter, or refuses it and leaves the counter as it is. It gives how near to the limit that was before
// and is after.
//
// Errors: QUOTA_EXCEEDED, BAD_USER_INPUT for too many reservations.
func (s *Service) decide(c *counting, d *counterDoc) (u Used, before, after Level, err error) {
	d.prune(s.now())
	total := c.a.total(d.Carry)
	if total != nil && d.Used+d.reserved()+c.Amount > *total && (!c.a.soft() || c.hold) {
		return u, "", "", c.h.refusal(c.a, d.Used+d.reserved(), c.Amount, c.to)
	}
	before = levelOf(d.Used, total)
	hold := ""
	if c.hold {
		if len(d.Holds) >= maxHolds {
			return u, "", "", fault.ErrInput.Saying("at most %d reservations of a feature at once", maxHolds)
		}
		h := holdDoc{ID: ref.NewID(), N: c.Amount, Until: s.now().Add(holdFor)}
		d.Holds = append(d.Holds, h)
		hold = d.ID + "/" + h.ID
	} else {
		d.Used += c.Amount
	}
	u = c.result(d.Used, total)
	u.Hold = hold
	return u, before, levelOf(d.Used, total), nil
}

// counter is the counter of a use, or the one it begins: with what is left over of the period before.
func (s *Service) counter(ctx context.Context, c *counting) (counterDoc, bool, error) {
	d, found, err := s.store.counter(ctx, c.id())
	if err != nil || found {
		return d, found, err
	}
	d = counterDoc{ID: c.id(), Subject: c.Subject, Feature: c.Feature, From: c.from, To: c.to}
	if c.to != nil {
		d.ExpiresAt = new(c.to.Add(keepCounts))
	}
	if from := c.h.before(c.a, c.from); from != nil {
		prev, _, err := s.store.counter(ctx, counterID(c.Subject, c.Feature, from))
		if err != nil {
			return d, false, err
		}
		d.Carry = c.a.carry(prev)
	}
	return d, false, nil
}

// before is the begin of the period before the one that began at from, if what is left of it is carried over: the subject has to
// have been on the plan from its beginning.
func (h *held) before(a Allowance, from *time.Time) *time.Time {
	if a.Rollover == 0 || a.Limit == nil || from == nil {
		return nil
	}
	prev, _ := h.window(a, from.Add(-time.Millisecond))
	if prev == nil || prev.Before(h.m.Since) {
		return nil
	}
	return prev
}

// carry is what is left of a period, at most what may be carried over. What was carried into it is used up first and goes no
// further.
func (a Allowance) carry(prev counterDoc) int64 {
	own := max(prev.Used-prev.Carry, 0)
	return min(max(*a.Limit-own, 0), a.Rollover)
}

// total is the limit with what was carried over; nil for any number.
func (a Allowance) total(carry int64) *int64 {
	if a.Limit == nil {
		return nil
	}
	return new(*a.Limit + carry)
}

// quotaFact is what the log says of a counter.
type quotaFact struct {
	Subject ref.Ref    `bson:"subject"`
	Feature string     `bson:"feature"`
	Used    int64      `bson:"used"`
	Limit   *int64     `bson:"limit"`
	Plan    string     `bson:"plan"`
	From    *time.Time `bson:"from,omitempty"`
}

// The events of counters.
const (
	kindNear     = "plan.quota.near"
	kindExceeded = "plan.quota.exceeded"
	kindRestored = "plan.quota.restored"
)

// tellLevel appends what a change of a counter means.
func (s *Service) tellLevel(ctx context.Context, h *held, a Allowance, d counterDoc, before, after Level) error {
	var kind string
	switch {
	case before != Exceeded && after == Exceeded:
		kind = kindExceeded
	case before == Exceeded && after != Exceeded:
		kind = kindRestored
	case before == Fine && after == Near:
		kind = kindNear
	default:
		return nil
	}
	return s.events.Append(ctx, kind, h.m.Ref(), quotaFact{h.m.Subject, a.Feature, d.Used, a.total(d.Carry), h.place.Plan.Key, d.From})
}

// Release gives n of a counted feature back, down to 0 at the least. It joins the caller's transaction like [Service.Consume].
// The event plan.quota.restored commits with it when the use comes down to the limit. Cost: 1 write; a transaction of 1 read
// and 2 writes for who is over the limit.
//
// Errors: BAD_USER_INPUT for n below 1; FEATURE_UNKNOWN.
func (s *Service) Release(ctx context.Context, subject ref.Ref, feature string, n int64) error {
	c, err := s.begin(ctx, UseCmd{Subject: subject, Feature: feature, Amount: n})
	if err != nil {
		return err
	}
	if ok, err := s.store.subtract(ctx, c.id(), n, c.a.Limit); err != nil || ok {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		d, found, err := s.store.counter(ctx, c.id())
		if err != nil || !found {
			return err
		}
		total := c.a.total(d.Carry)
		before := levelOf(d.Used, total)
		d.Used = max(d.Used-n, 0)
		if err := s.store.putCounter(ctx, d, true); err != nil {
			return err
		}
		return s.tellLevel(ctx, c.h, c.a, d, before, levelOf(d.Used, total))
	})
}

// Writable refuses a subject that is over the limit of a feature whose policy is READ_ONLY to change what it has. It asks nobody's
// leave. Cost: none for another policy, else one find.
//
// Errors: OVER_QUOTA with feature, limit, used, plan and allowedBy.
func (s *Service) Writable(ctx context.Context, subject ref.Ref, feature string) error {
	h, err := s.of(ctx, subject)
	if err != nil {
		return err
	}
	a := h.all[feature]
	if a.OnOver != ReadOnly || a.Limit == nil {
		return nil
	}
	from, _ := h.window(a, s.now().Add(h.m.Offset))
	d, _, err := s.store.counter(ctx, counterID(subject, feature, from))
	if err != nil {
		return err
	}
	if d.Used <= *a.total(d.Carry) {
		return nil
	}
	return ErrReadOnly.With("feature", feature).With("limit", *a.Limit).With("used", d.Used).With("plan", h.place.Plan.Key).
		With("allowedBy", h.c.allowing(subject, feature, d.Used))
}

// Reserve sets n of a feature aside for ten minutes, for something that may fail: then it is released, or forgotten, and else
// committed. Nobody else can use it meanwhile. A name makes it happen once, as for [Service.Meter]. Needs plan.usage.write.
// Cost: 1 read, 1 or 2 writes, 1 commit.
//
// Errors: those of Meter.
func (s *Service) Reserve(ctx context.Context, cmd UseCmd) (Used, error) {
	if err := s.authz.Require(ctx, PermUsageWrite, cmd.Subject); err != nil {
		return Used{}, err
	}
	if (cmd.ID == "") != (cmd.Source == "") {
		return Used{}, fault.ErrInput.Saying("source and id come together").On("input.id")
	}
	c, err := s.begin(ctx, cmd)
	if err != nil {
		return Used{}, err
	}
	c.hold = true
	return s.count(ctx, c)
}

// Commit uses what was reserved; a second time it changes nothing. Needs plan.usage.write. Cost: 1 read, 2 writes, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, HOLD_NOT_FOUND for one that was released or forgotten.
func (s *Service) Commit(ctx context.Context, hold string) (Used, error) {
	return s.settle(ctx, hold, true)
}

// Cancel gives back what was reserved. Needs plan.usage.write. Cost: 1 read, 1 write, 1 commit.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, HOLD_NOT_FOUND.
func (s *Service) Cancel(ctx context.Context, hold string) (Used, error) {
	return s.settle(ctx, hold, false)
}

func (s *Service) settle(ctx context.Context, hold string, commit bool) (Used, error) {
	at := strings.LastIndexByte(hold, '/')
	subject, ok := parseUsageSubject(hold)
	if at < 0 || !ok {
		return Used{}, ErrHold
	}
	if err := s.authz.Require(ctx, PermUsageWrite, subject); err != nil {
		return Used{}, err
	}
	counter, id := hold[:at], hold[at+1:]
	done := UseCmd{Subject: subject, Source: "hold", ID: id}
	var u Used
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if before, found, err := s.store.useOf(ctx, done); err != nil || found && commit {
			u = before.result()
			return err
		}
		d, found, err := s.store.counter(ctx, counter)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(d.Holds, func(h holdDoc) bool { return h.ID == id && s.now().Before(h.Until) })
		if !found || i < 0 {
			return ErrHold
		}
		c, err := s.begin(ctx, UseCmd{Subject: subject, Feature: d.Feature, Amount: d.Holds[i].N})
		if err != nil {
			return err
		}
		c.from, c.to = d.From, d.To
		c.Source, c.ID = done.Source, done.ID
		total := c.a.total(d.Carry)
		before := levelOf(d.Used, total)
		d.Holds = slices.Delete(d.Holds, i, i+1)
		if commit {
			d.Used += c.Amount
		}
		u = c.result(d.Used, total)
		if err := s.store.putCounter(ctx, d, true); err != nil || !commit {
			return err
		}
		if err := s.store.insertUse(ctx, newUse(c, u, s.now())); err != nil {
			return fmt.Errorf("commit hold: %w", err)
		}
		return s.tellLevel(ctx, c.h, c.a, d, before, levelOf(d.Used, total))
	})
	if err != nil {
		return Used{}, err
	}
	return u, nil
}

// periods is the ids of the counters that say what is used now, and of those before them of which something is carried over.
func (h *held) periods(now time.Time) []string {
	var ids []string
	for _, a := range h.all {
		if a.Kind != Counted && a.Kind != Metered {
			continue
		}
		from, _ := h.window(a, now)
		ids = append(ids, counterID(h.m.Subject, a.Feature, from))
		if prev := h.before(a, from); prev != nil {
			ids = append(ids, counterID(h.m.Subject, a.Feature, prev))
		}
	}
	return ids
}

// measure is what is used of a feature, given the counters.
func (h *held) measure(a Allowance, docs map[string]counterDoc, now time.Time) Entitlement {
	e := Entitlement{Allowance: a}
	from, to := h.window(a, now)
	d, found := docs[counterID(h.m.Subject, a.Feature, from)]
	d.prune(now.Add(-h.m.Offset))
	e.Used, e.Reserved, e.Carried, e.ResetsAt = d.Used, d.reserved(), d.Carry, to
	if prev := h.before(a, from); !found && prev != nil {
		e.Carried = a.carry(docs[counterID(h.m.Subject, a.Feature, prev)])
	}
	return e
}

// prune forgets reservations that are over: they have not counted since.
func (d *counterDoc) prune(now time.Time) {
	d.Holds = slices.DeleteFunc(d.Holds, func(h holdDoc) bool { return !now.Before(h.Until) })
}

// reserved is how much is set aside.
func (d counterDoc) reserved() (n int64) {
	for _, h := range d.Holds {
		n += h.N
	}
	return n
}
