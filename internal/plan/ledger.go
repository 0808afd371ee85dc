package plan

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/ref"
)

// EntryKind is what a ledger entry records.
type EntryKind string

// The kinds of entries.
const (
	KindCharge  EntryKind = "CHARGE"  // an invoice: what is owed, or when below 0 what is to the subject's credit
	KindPayment EntryKind = "PAYMENT" // below 0: so much less is owed
	KindRefund  EntryKind = "REFUND"  // a payment was given back
	KindWaiver  EntryKind = "WAIVER"  // below 0: it is not owed any more
)

// Entry is one entry of the ledger. Entries are only ever added. The sum of a subject's amounts is its balance.
type Entry struct {
	ID           string    `bson:"_id"`
	Subject      ref.Ref   `bson:"subject"`
	Membership   string    `bson:"membership"`
	Kind         EntryKind `bson:"kind"`
	At           time.Time `bson:"at"`
	Deal         DealKind  `bson:"deal,omitempty"` // of a charge
	Lines        []Line    `bson:"lines,omitempty"`
	AmountMinor  int64     `bson:"amountMinor"`
	Currency     string    `bson:"currency"`
	BalanceMinor int64     `bson:"balanceMinor"` // after it
	Number       string    `bson:"number,omitempty"`
	Key          string    `bson:"key,omitempty"` // what made it; unique, so nothing is entered twice
	ProviderRef  string    `bson:"providerRef,omitempty"`
	Reason       string    `bson:"reason,omitempty"`
	By           ref.Ref   `bson:"by"`
}

// Ref is the entry as a reference.
func (e Entry) Ref() ref.Ref { return ref.New(ref.LedgerEntry, e.ID) }

// covers reports whether a charge is for the plan in the present period of a membership.
func (e Entry) covers(m Membership) bool {
	return e.Deal != DealAddon && slices.ContainsFunc(e.Lines, func(l Line) bool {
		return l.Kind == LineCharge && l.From != nil && l.To != nil && l.From.Before(*m.Until) && l.To.After(m.From)
	})
}

// Ledger is the entries of a subject, newest first. Another's needs plan.membership.read. Cost: one find.
//
// Errors: UNAUTHENTICATED, FORBIDDEN, PAGE_SIZE, BAD_CURSOR.
func (s *Service) Ledger(ctx context.Context, subject ref.Ref, args page.Args) (page.Page[Entry], error) {
	if err := s.require(ctx, subject, PermRead); err != nil {
		return page.Page[Entry]{}, err
	}
	w, err := args.Check(1)
	if err != nil {
		return page.Page[Entry]{}, err
	}
	read, err := s.store.entries(ctx, subject, w)
	if err != nil {
		return page.Page[Entry]{}, err
	}
	return page.Fold(w, read, func(e Entry) page.Cursor { return page.Cursor{e.ID} }), nil
}

// Invoice is a charge with what was paid of it.
type Invoice struct {
	Entry

	PaidMinor     int64
	RefundedMinor int64
	Zone          *time.Location // the subject's
}

// Invoice finds the invoice of an entry of the kind CHARGE. Another's needs plan.membership.read; to others it looks missing.
// Cost: 4 finds.
//
// Errors: NOT_FOUND.
func (s *Service) Invoice(ctx context.Context, id string) (Invoice, error) {
	e, ok, err := s.store.entryByID(ctx, id)
	if err != nil {
		return Invoice{}, err
	}
	if !ok || e.Kind != KindCharge || e.Number == "" || s.require(ctx, e.Subject, PermRead) != nil {
		return Invoice{}, errNoEntry
	}
	m, err := s.membership(ctx, e.Subject)
	if err != nil {
		return Invoice{}, err
	}
	inv := Invoice{Entry: e, Zone: m.zone()}
	paid, ok, err := s.store.entryByKey(ctx, e.Key+paidSuffix)
	if err != nil {
		return Invoice{}, err
	}
	inv.PaidMinor = e.AmountMinor // by what was to its credit
	if !ok {
		return inv, nil
	}
	refunds, err := s.store.refunds(ctx, paid.ProviderRef)
	for _, r := range refunds {
		inv.RefundedMinor += r.AmountMinor
	}
	return inv, err
}

// paidSuffix is what the key of a payment has after that of its charge.
const paidSuffix = ":paid"

// post enters a deal that was paid, in the transaction of ctx, and gives the balance after it.
func (s *Service) post(ctx context.Context, m Membership, d Deal, key, providerRef string, now time.Time) (payment.Money, error) {
	if len(d.Lines) == 0 {
		return m.Balance, nil
	}
	number, err := s.store.number(ctx, "invoice")
	if err != nil {
		return m.Balance, err
	}
	b := m.Balance
	b.Currency = d.Currency
	b.AmountMinor += d.NetMinor
	charge := s.entry(ctx, m, KindCharge, now, b)
	charge.Deal, charge.Lines, charge.AmountMinor, charge.Key = d.Kind, d.Lines, d.NetMinor, key
	charge.Number = fmt.Sprintf("%04d-%06d", now.Year(), number)
	all := []Entry{charge}
	if d.DueMinor > 0 {
		b.AmountMinor -= d.DueMinor
		paid := s.entry(ctx, m, KindPayment, now, b)
		paid.AmountMinor, paid.Key, paid.ProviderRef = -d.DueMinor, key+paidSuffix, providerRef
		all = append(all, paid)
	}
	return b, s.store.insertEntries(ctx, all)
}

func (s *Service) entry(ctx context.Context, m Membership, kind EntryKind, now time.Time, after payment.Money) Entry {
	return Entry{
		ID: ref.NewID(), Subject: m.Subject, Membership: m.ID, Kind: kind, At: now, Currency: after.Currency, BalanceMinor: after.AmountMinor, By: by(ctx),
	}
}
