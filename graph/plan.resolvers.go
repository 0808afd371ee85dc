package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// Net is the resolver for the net field.
func (r *changePreviewResolver) Net(ctx context.Context, obj *plan.Preview) (*payment.Money, error) {
	return &payment.Money{AmountMinor: obj.NetMinor, Currency: obj.Currency}, nil
}

// Due is the resolver for the due field.
func (r *changePreviewResolver) Due(ctx context.Context, obj *plan.Preview) (*payment.Money, error) {
	return &payment.Money{AmountMinor: obj.DueMinor, Currency: obj.Currency}, nil
}

// Reservation is the resolver for the reservation field.
func (r *featureUsageResolver) Reservation(ctx context.Context, obj *plan.Used) (*string, error) {
	return some(obj.Hold), nil
}

// Amount is the resolver for the amount field.
func (r *ledgerEntryResolver) Amount(ctx context.Context, obj *plan.Entry) (*payment.Money, error) {
	return &payment.Money{AmountMinor: obj.AmountMinor, Currency: obj.Currency}, nil
}

// Number is the resolver for the number field.
func (r *ledgerEntryResolver) Number(ctx context.Context, obj *plan.Entry) (*string, error) {
	return some(obj.Number), nil
}

// InvoicePath is the resolver for the invoicePath field.
func (r *ledgerEntryResolver) InvoicePath(ctx context.Context, obj *plan.Entry) (*string, error) {
	if obj.Number == "" {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return new("/invoices/" + obj.ID + ".html"), nil
}

// Reason is the resolver for the reason field.
func (r *ledgerEntryResolver) Reason(ctx context.Context, obj *plan.Entry) (*string, error) {
	return some(obj.Reason), nil
}

// Chosen is the resolver for the chosen field.
func (r *membershipResolver) Chosen(ctx context.Context, obj *plan.Place) (*plan.Plan, error) {
	return planOf(ctx, obj.Contract.Plan)
}

// Standing is the resolver for the standing field.
func (r *membershipResolver) Standing(ctx context.Context, obj *plan.Place) (plan.Standing, error) {
	s, err := loader.Standing(ctx, obj.Subject)
	if err != nil || s == nil {
		return plan.InOrder, err
	}
	return *s, nil
}

// TimeZone is the resolver for the timeZone field.
func (r *membershipResolver) TimeZone(ctx context.Context, obj *plan.Place) (string, error) {
	return or(obj.Zone, "UTC"), nil
}

// Coupon is the resolver for the coupon field.
func (r *membershipResolver) Coupon(ctx context.Context, obj *plan.Place) (*string, error) {
	if obj.Coupon == nil || obj.Coupon.Left == 0 {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return &obj.Coupon.Key, nil
}

// CheckoutURL is the resolver for the checkoutUrl field.
func (r *membershipResolver) CheckoutURL(ctx context.Context, obj *plan.Place) (*string, error) {
	if obj.Intent == nil {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return some(obj.Intent.URL), nil
}

// PaymentProblem is the resolver for the paymentProblem field.
func (r *membershipResolver) PaymentProblem(ctx context.Context, obj *plan.Place) (*string, error) {
	if obj.Dunning == nil {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return some(obj.Dunning.Reason), nil
}

// PauseReason is the resolver for the pauseReason field.
func (r *membershipResolver) PauseReason(ctx context.Context, obj *plan.Place) (*string, error) {
	if obj.Paused == nil {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return &obj.Paused.Reason, nil
}

// ChangePlan is the resolver for the changePlan field.
func (r *mutationResolver) ChangePlan(ctx context.Context, input model.ChangePlanInput) (*model.ChangePlanPayload, error) {
	out, err := r.Plans.Change(ctx, input.Token)
	switch {
	case err != nil:
		return nil, err
	case out.URL != "":
		return &model.ChangePlanPayload{Result: model.CheckoutRequired{URL: out.URL, Membership: out.Place}}, nil
	}
	return &model.ChangePlanPayload{Result: model.MembershipChanged{Membership: out.Place}}, nil
}

// CancelMembership is the resolver for the cancelMembership field.
func (r *mutationResolver) CancelMembership(ctx context.Context, input model.CancelMembershipInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.CancelMembership(ctx, plan.CancelCmd{Subject: orMe(ctx, input.User), Now: input.Now}))
}

// ResumeMembership is the resolver for the resumeMembership field.
func (r *mutationResolver) ResumeMembership(ctx context.Context, input model.ResumeMembershipInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.Resume(ctx, orMe(ctx, input.User)))
}

// EndAddon is the resolver for the endAddon field.
func (r *mutationResolver) EndAddon(ctx context.Context, input model.EndAddonInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.EndAddon(ctx, orMe(ctx, input.User), input.Addon))
}

// PutOnPlan is the resolver for the putOnPlan field.
func (r *mutationResolver) PutOnPlan(ctx context.Context, input model.PutOnPlanInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.Put(ctx, input.User, input.Plan))
}

// PauseMembership is the resolver for the pauseMembership field.
func (r *mutationResolver) PauseMembership(ctx context.Context, input model.PauseMembershipInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.Pause(ctx, input.User, input.Reason))
}

// UnpauseMembership is the resolver for the unpauseMembership field.
func (r *mutationResolver) UnpauseMembership(ctx context.Context, input model.UnpauseMembershipInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.Unpause(ctx, input.User))
}

// OverrideFeature is the resolver for the overrideFeature field.
func (r *mutationResolver) OverrideFeature(ctx context.Context, input model.OverrideFeatureInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.Override(ctx, plan.OverrideCmd{
		Subject: input.User, Rule: toRule(input.Feature), ExpiresAt: input.ExpiresAt, Reason: input.Reason, Clear: input.Clear,
	}))
}

// RefundPayment is the resolver for the refundPayment field.
func (r *mutationResolver) RefundPayment(ctx context.Context, input model.RefundPaymentInput) (*model.MembershipPayload, error) {
	c := plan.RefundCmd{Entry: idOf(ref.LedgerEntry, input.Payment), Keep: input.Keep, Reason: input.Reason}
	if input.AmountMinor != nil {
		if c.AmountMinor = int64(*input.AmountMinor); c.AmountMinor < 1 {
			return nil, fault.ErrInput.On("input.amountMinor").Saying("only 1 or more can be given back")
		}
	}
	return membership(r.Plans.Refund(ctx, c))
}

// AdvanceMembershipClock is the resolver for the advanceMembershipClock field.
func (r *mutationResolver) AdvanceMembershipClock(ctx context.Context, input model.AdvanceMembershipClockInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.AdvanceClock(ctx, input.User, input.To))
}

// MigrateMembers is the resolver for the migrateMembers field.
func (r *mutationResolver) MigrateMembers(ctx context.Context, input model.MigrateMembersInput) (*model.MigrateMembersPayload, error) {
	moved, err := r.Plans.Migrate(ctx, plan.MigrateCmd{Plan: input.Plan, DryRun: input.DryRun})
	if err != nil {
		return nil, err
	}
	return &model.MigrateMembersPayload{Members: moved}, nil
}

// ApplyCatalogue is the resolver for the applyCatalogue field.
func (r *mutationResolver) ApplyCatalogue(ctx context.Context, input model.ApplyCatalogueInput) (*model.ApplyCataloguePayload, error) {
	book, err := plan.ParseBook([]byte(input.Yaml))
	if err != nil {
		return nil, err
	}
	changes, err := r.Plans.Apply(ctx, plan.ApplyCmd{Book: book, Prune: input.Prune, DryRun: input.DryRun})
	if err != nil {
		return nil, err
	}
	all, err := r.Plans.WholeCatalogue(ctx)
	return &model.ApplyCataloguePayload{Changes: changes, Catalogue: all}, err
}

// DeletePlan is the resolver for the deletePlan field.
func (r *mutationResolver) DeletePlan(ctx context.Context, input model.DeletePlanInput) (*model.DeletePlanPayload, error) {
	if err := r.Plans.Delete(ctx, idOf(ref.Plan, input.Plan)); err != nil {
		return nil, err
	}
	all, err := r.Plans.WholeCatalogue(ctx)
	return &model.DeletePlanPayload{Catalogue: all}, err
}

// ConsumeFeature is the resolver for the consumeFeature field.
func (r *mutationResolver) ConsumeFeature(ctx context.Context, input model.UseFeatureInput) (*model.UseFeaturePayload, error) {
	return usage(r.Plans.Meter(ctx, toUse(input)))
}

// ReserveFeature is the resolver for the reserveFeature field.
func (r *mutationResolver) ReserveFeature(ctx context.Context, input model.UseFeatureInput) (*model.UseFeaturePayload, error) {
	return usage(r.Plans.Reserve(ctx, toUse(input)))
}

// CommitReservation is the resolver for the commitReservation field.
func (r *mutationResolver) CommitReservation(ctx context.Context, input model.ReservationInput) (*model.UseFeaturePayload, error) {
	return usage(r.Plans.Commit(ctx, input.Reservation))
}

// ReleaseReservation is the resolver for the releaseReservation field.
func (r *mutationResolver) ReleaseReservation(ctx context.Context, input model.ReservationInput) (*model.UseFeaturePayload, error) {
	return usage(r.Plans.Cancel(ctx, input.Reservation))
}

// SetPaymentBehavior is the resolver for the setPaymentBehavior field.
func (r *mutationResolver) SetPaymentBehavior(ctx context.Context, input model.SetPaymentBehaviorInput) (*model.SetPaymentBehaviorPayload, error) {
	if err := r.Plans.Behave(ctx, orMe(ctx, input.User), input.Behavior); err != nil {
		return nil, err
	}
	return &model.SetPaymentBehaviorPayload{Behavior: input.Behavior}, nil
}

// CompleteTestPayment is the resolver for the completeTestPayment field.
func (r *mutationResolver) CompleteTestPayment(ctx context.Context, input model.CompleteTestPaymentInput) (*model.MembershipPayload, error) {
	return membership(r.Plans.CompleteTest(ctx, input.Key, input.Pay))
}

// Plan is the resolver for the plan field.
func (r *pendingChangeResolver) Plan(ctx context.Context, obj *plan.Next) (*plan.Plan, error) {
	return planOf(ctx, obj.Plan)
}

// Role is the resolver for the role field.
func (r *planResolver) Role(ctx context.Context, obj *plan.Plan) (*rbac.Role, error) {
	if obj.Role == "" {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return loader.Role(ctx, obj.Role)
}

// OnOver is the resolver for the onOver field.
func (r *planFeatureResolver) OnOver(ctx context.Context, obj *plan.Rule) (plan.OnOver, error) {
	return or(obj.OnOver, plan.Block), nil
}

// Reset is the resolver for the reset field.
func (r *planFeatureResolver) Reset(ctx context.Context, obj *plan.Rule) (plan.Reset, error) {
	return or(obj.Reset, plan.EachPeriod), nil
}

// Plans is the resolver for the plans field.
func (r *queryResolver) Plans(ctx context.Context) ([]plan.Plan, error) {
	return r.Resolver.Plans.OnOffer(ctx, actor.From(ctx).Ref())
}

// Features is the resolver for the features field.
func (r *queryResolver) Features(ctx context.Context) ([]plan.Feature, error) {
	return r.Resolver.Plans.Features(ctx)
}

// Addons is the resolver for the addons field.
func (r *queryResolver) Addons(ctx context.Context) ([]plan.Addon, error) {
	return r.Resolver.Plans.Addons(ctx)
}

// Catalogue is the resolver for the catalogue field.
func (r *queryResolver) Catalogue(ctx context.Context) (*plan.Catalogue, error) {
	all, err := r.Resolver.Plans.WholeCatalogue(ctx)
	return &all, err
}

// Membership is the resolver for the membership field.
func (r *queryResolver) Membership(ctx context.Context, user *ref.Ref) (*plan.Place, error) {
	p, err := r.Resolver.Plans.MembershipOf(ctx, orMe(ctx, user))
	return &p, err
}

// Memberships is the resolver for the memberships field.
func (r *queryResolver) Memberships(ctx context.Context, plan *string, first *int, after *string, last *int, before *string) (*model.MembershipConnection, error) {
	key := ""
	if plan != nil {
		key = *plan
	}
	p, err := r.Resolver.Plans.Memberships(ctx, key, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	subjects := make([]ref.Ref, len(p.Items))
	for i, m := range p.Items {
		subjects[i] = m.Subject
	}
	loader.SawSubjects(ctx, subjects)
	return memberships(ctx, p), nil
}

// Entitlements is the resolver for the entitlements field.
func (r *queryResolver) Entitlements(ctx context.Context, user *ref.Ref) ([]plan.Entitlement, error) {
	return r.Resolver.Plans.Entitlements(ctx, orMe(ctx, user))
}

// Entitlement is the resolver for the entitlement field.
func (r *queryResolver) Entitlement(ctx context.Context, feature string, user *ref.Ref) (*plan.Entitlement, error) {
	e, err := r.Resolver.Plans.Entitlement(ctx, orMe(ctx, user), feature)
	return &e, err
}

// OverQuota is the resolver for the overQuota field.
func (r *queryResolver) OverQuota(ctx context.Context, plan *ref.Ref, user *ref.Ref) ([]plan.OverItem, error) {
	id := ""
	if plan != nil {
		if id = idOf(ref.Plan, *plan); id == "" {
			return nil, errUnknownPlan
		}
	}
	return r.Resolver.Plans.OverQuota(ctx, orMe(ctx, user), id)
}

// PreviewChange is the resolver for the previewChange field.
func (r *queryResolver) PreviewChange(ctx context.Context, input model.PreviewChangeInput) (*plan.Preview, error) {
	p, err := r.Resolver.Plans.Preview(ctx, toPreview(ctx, input))
	return &p, err
}

// Ledger is the resolver for the ledger field.
func (r *queryResolver) Ledger(ctx context.Context, user *ref.Ref, first *int, after *string, last *int, before *string) (*model.LedgerConnection, error) {
	p, err := r.Resolver.Plans.Ledger(ctx, orMe(ctx, user), pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return ledger(ctx, p), nil
}

// ChangePreview returns generated.ChangePreviewResolver implementation.
func (r *Resolver) ChangePreview() generated.ChangePreviewResolver { return &changePreviewResolver{r} }

// FeatureUsage returns generated.FeatureUsageResolver implementation.
func (r *Resolver) FeatureUsage() generated.FeatureUsageResolver { return &featureUsageResolver{r} }

// LedgerEntry returns generated.LedgerEntryResolver implementation.
func (r *Resolver) LedgerEntry() generated.LedgerEntryResolver { return &ledgerEntryResolver{r} }

// Membership returns generated.MembershipResolver implementation.
func (r *Resolver) Membership() generated.MembershipResolver { return &membershipResolver{r} }

// PendingChange returns generated.PendingChangeResolver implementation.
func (r *Resolver) PendingChange() generated.PendingChangeResolver { return &pendingChangeResolver{r} }

// Plan returns generated.PlanResolver implementation.
func (r *Resolver) Plan() generated.PlanResolver { return &planResolver{r} }

// PlanFeature returns generated.PlanFeatureResolver implementation.
func (r *Resolver) PlanFeature() generated.PlanFeatureResolver { return &planFeatureResolver{r} }

type (
	changePreviewResolver struct{ *Resolver }
	featureUsageResolver  struct{ *Resolver }
	ledgerEntryResolver   struct{ *Resolver }
	membershipResolver    struct{ *Resolver }
	pendingChangeResolver struct{ *Resolver }
	planResolver          struct{ *Resolver }
	planFeatureResolver   struct{ *Resolver }
)
