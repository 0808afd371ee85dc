package graph

import (
	"context"
	"encoding/base64"

	"github.com/backendbook/backendbook/graph/generated"
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Kind is the resolver for the kind field.
func (r *factorResolver) Kind(ctx context.Context, obj *factor.Factor) (model.FactorKind, error) {
	if obj.Kind == factor.Passkey {
		return model.FactorKindPasskey, nil
	}
	return model.FactorKindTotp, nil
}

// ChangePassword is the resolver for the changePassword field.
func (r *mutationResolver) ChangePassword(ctx context.Context, input model.ChangePasswordInput) (*model.ChangePasswordPayload, error) {
	ended, v, err := r.Auth.ChangePassword(ctx, webauth.ChangePasswordCmd{Current: text(input.Current), Password: input.Password})
	if err != nil {
		return nil, err
	}
	out := &model.ChangePasswordPayload{Ended: ended}
	out.Token, out.TokenExpiresAt, out.RefreshToken = secret(v.Secrets)
	return out, nil
}

// Elevate is the resolver for the elevate field.
func (r *mutationResolver) Elevate(ctx context.Context) (*model.ElevatePayload, error) {
	f, err := r.Auth.Elevate(ctx)
	if err != nil {
		return nil, err
	}
	return &model.ElevatePayload{Required: factorRequired(f)}, nil
}

// CompleteElevation is the resolver for the completeElevation field.
func (r *mutationResolver) CompleteElevation(ctx context.Context, input model.CompleteElevationInput) (*model.CompleteElevationPayload, error) {
	v, err := r.Auth.CompleteElevation(ctx, input.Flow, proof(input.Proof))
	if err != nil {
		return nil, err
	}
	out := &model.CompleteElevationPayload{Session: v.Session}
	out.Token, out.TokenExpiresAt, out.RefreshToken = secret(v.Secrets)
	return out, nil
}

// AddEmail is the resolver for the addEmail field.
func (r *mutationResolver) AddEmail(ctx context.Context, input model.AddEmailInput) (*model.MailSent, error) {
	return mailSent(r.Auth.AddEmail(ctx, input.Email, input.Primary))
}

// ConfirmEmail is the resolver for the confirmEmail field.
func (r *mutationResolver) ConfirmEmail(ctx context.Context, input model.ConfirmEmailInput) (*model.EmailsPayload, error) {
	return emailsPayload(r.Auth.ConfirmEmail(ctx, webauth.MailProof{Flow: text(input.Flow), Code: text(input.Code), Token: text(input.Token)}))
}

// SetPrimaryEmail is the resolver for the setPrimaryEmail field.
func (r *mutationResolver) SetPrimaryEmail(ctx context.Context, input model.SetPrimaryEmailInput) (*model.EmailsPayload, error) {
	return emailsPayload(r.Auth.SetPrimaryEmail(ctx, input.Email))
}

// RemoveEmail is the resolver for the removeEmail field.
func (r *mutationResolver) RemoveEmail(ctx context.Context, input model.RemoveEmailInput) (*model.EmailsPayload, error) {
	return emailsPayload(r.Auth.RemoveEmail(ctx, input.Email))
}

// BeginTotp is the resolver for the beginTotp field.
func (r *mutationResolver) BeginTotp(ctx context.Context) (*model.BeginTotpPayload, error) {
	e, err := r.Auth.BeginTOTP(ctx)
	if err != nil {
		return nil, err
	}
	return &model.BeginTotpPayload{
		Factor: ref.New(ref.Factor, e.Factor), Secret: e.Secret, URI: e.URI,
		QRPng: base64.StdEncoding.EncodeToString(e.QR), QRText: e.QRText,
	}, nil
}

// ConfirmTotp is the resolver for the confirmTotp field.
func (r *mutationResolver) ConfirmTotp(ctx context.Context, input model.ConfirmTotpInput) (*model.FactorPayload, error) {
	f, codes, err := r.Auth.ConfirmTOTP(ctx, idOf(ref.Factor, input.Factor), input.Code, input.Name)
	if err != nil {
		return nil, err
	}
	return &model.FactorPayload{Factor: f, RecoveryCodes: codes}, nil
}

// BeginPasskey is the resolver for the beginPasskey field.
func (r *mutationResolver) BeginPasskey(ctx context.Context) (*model.PasskeyChallenge, error) {
	return passkeyChallenge(r.Auth.BeginPasskey(ctx))
}

// AddPasskey is the resolver for the addPasskey field.
func (r *mutationResolver) AddPasskey(ctx context.Context, input model.AddPasskeyInput) (*model.FactorPayload, error) {
	f, codes, err := r.Auth.AddPasskey(ctx, input.Flow, credential(input.Credential), input.Name)
	if err != nil {
		return nil, err
	}
	return &model.FactorPayload{Factor: f, RecoveryCodes: codes}, nil
}

// RenameFactor is the resolver for the renameFactor field.
func (r *mutationResolver) RenameFactor(ctx context.Context, input model.RenameFactorInput) (*model.FactorPayload, error) {
	f, err := r.Auth.RenameFactor(ctx, idOf(ref.Factor, input.Factor), input.Name)
	if err != nil {
		return nil, err
	}
	return &model.FactorPayload{Factor: f}, nil
}

// RemoveFactor is the resolver for the removeFactor field.
func (r *mutationResolver) RemoveFactor(ctx context.Context, input model.RemoveFactorInput) (*model.RemoveFactorPayload, error) {
	if err := r.Auth.RemoveFactor(ctx, idOf(ref.Factor, input.Factor)); err != nil {
		return nil, err
	}
	return &model.RemoveFactorPayload{Factor: input.Factor}, nil
}

// MakeRecoveryCodes is the resolver for the makeRecoveryCodes field.
func (r *mutationResolver) MakeRecoveryCodes(ctx context.Context) (*model.MakeRecoveryCodesPayload, error) {
	codes, err := r.Auth.MakeRecoveryCodes(ctx)
	if err != nil {
		return nil, err
	}
	return &model.MakeRecoveryCodesPayload{Codes: codes}, nil
}

// UnlinkIdentity is the resolver for the unlinkIdentity field.
func (r *mutationResolver) UnlinkIdentity(ctx context.Context, input model.UnlinkIdentityInput) (*model.UnlinkIdentityPayload, error) {
	if err := r.Auth.UnlinkIdentity(ctx, idOf(ref.Identity, input.Identity)); err != nil {
		return nil, err
	}
	return &model.UnlinkIdentityPayload{Identity: input.Identity}, nil
}

// DeactivateMe is the resolver for the deactivateMe field.
func (r *mutationResolver) DeactivateMe(ctx context.Context) (*model.LeavePayload, error) {
	if err := r.Auth.DeactivateMe(ctx); err != nil {
		return nil, err
	}
	return &model.LeavePayload{}, nil
}

// DeleteMe is the resolver for the deleteMe field.
func (r *mutationResolver) DeleteMe(ctx context.Context, input model.DeleteMeInput) (*model.LeavePayload, error) {
	until, err := r.Auth.DeleteMe(ctx, input.Email)
	if err != nil {
		return nil, err
	}
	return &model.LeavePayload{DeletedAfter: &until}, nil
}

// MyFactors is the resolver for the myFactors field.
func (r *queryResolver) MyFactors(ctx context.Context) (*model.Factors, error) {
	f, err := r.Auth.MyFactors(ctx)
	if err != nil {
		return nil, err
	}
	return &model.Factors{Items: f.Items, RecoveryCodesLeft: f.RecoveryLeft}, nil
}

// MyIdentities is the resolver for the myIdentities field.
func (r *queryResolver) MyIdentities(ctx context.Context) ([]social.Identity, error) {
	return r.Auth.MyIdentities(ctx)
}

// Factor returns generated.FactorResolver implementation.
func (r *Resolver) Factor() generated.FactorResolver { return &factorResolver{r} }

type factorResolver struct{ *Resolver }
