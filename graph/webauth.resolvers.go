package graph

import (
	"context"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/webauth"
)

// Register is the resolver for the register field.
func (r *mutationResolver) Register(ctx context.Context, input model.RegisterInput) (*model.SignInPayload, error) {
	v, err := r.Auth.Register(ctx, webauth.RegisterCmd{
		Email: input.Email, Password: text(input.Password), Name: input.Name, Username: text(input.Username),
		Locale: text(input.Locale), Invitation: text(input.Invitation), AcceptTerms: text(input.AcceptTerms),
	})
	return signIn(v, err)
}

// VerifyEmail is the resolver for the verifyEmail field.
func (r *mutationResolver) VerifyEmail(ctx context.Context, input model.VerifyEmailInput) (*model.SignInPayload, error) {
	return signIn(r.Auth.VerifyEmail(ctx, webauth.VerifyCmd{
		Entry: entry(input.Transport, input.Device, input.Remember),
		Flow:  text(input.Flow), Code: text(input.Code), Token: text(input.Token), Password: text(input.Password),
	}))
}

// ResendVerification is the resolver for the resendVerification field.
func (r *mutationResolver) ResendVerification(ctx context.Context, input model.ResendVerificationInput) (*model.MailSent, error) {
	return mailSent(r.Auth.ResendVerification(ctx, input.Flow))
}

// SignIn is the resolver for the signIn field.
func (r *mutationResolver) SignIn(ctx context.Context, input model.SignInInput) (*model.SignInPayload, error) {
	return signIn(r.Auth.SignIn(ctx, webauth.SignInCmd{
		Entry: entry(input.Transport, input.Device, input.Remember), Identifier: input.Identifier, Password: input.Password,
	}))
}

// Challenge is the resolver for the challenge field.
func (r *mutationResolver) Challenge(ctx context.Context, input model.ChallengeInput) (*model.ChallengePayload, error) {
	options, err := r.Auth.Challenge(ctx, input.Flow, webauth.FactorKind(input.Factor))
	if err != nil {
		return nil, err
	}
	o, err := object(options)
	return &model.ChallengePayload{Options: o}, err
}

// CompleteSignIn is the resolver for the completeSignIn field.
func (r *mutationResolver) CompleteSignIn(ctx context.Context, input model.CompleteSignInInput) (*model.SignInPayload, error) {
	in := entry(input.Transport, input.Device, input.Remember)
	in.Trust = input.TrustDevice
	return signIn(r.Auth.CompleteSignIn(ctx, webauth.CompleteCmd{
		Entry: in, Flow: input.Flow, Proof: proof(input.Proof),
	}))
}

// RequestSignInMail is the resolver for the requestSignInMail field.
func (r *mutationResolver) RequestSignInMail(ctx context.Context, input model.RequestSignInMailInput) (*model.MailSent, error) {
	return mailSent(r.Auth.RequestSignInMail(ctx, input.Email))
}

// SignInWithMail is the resolver for the signInWithMail field.
func (r *mutationResolver) SignInWithMail(ctx context.Context, input model.SignInWithMailInput) (*model.SignInPayload, error) {
	return signIn(r.Auth.SignInWithMail(ctx, webauth.SignInMailCmd{
		Entry:     entry(input.Transport, input.Device, input.Remember),
		MailProof: webauth.MailProof{Flow: text(input.Flow), Code: text(input.Code), Token: text(input.Token)},
	}))
}

// BeginPasskeySignIn is the resolver for the beginPasskeySignIn field.
func (r *mutationResolver) BeginPasskeySignIn(ctx context.Context) (*model.PasskeyChallenge, error) {
	return passkeyChallenge(r.Auth.BeginPasskeySignIn(ctx))
}

// SignInWithPasskey is the resolver for the signInWithPasskey field.
func (r *mutationResolver) SignInWithPasskey(ctx context.Context, input model.SignInWithPasskeyInput) (*model.SignInPayload, error) {
	return signIn(r.Auth.SignInWithPasskey(ctx, webauth.PasskeyCmd{
		Entry: entry(input.Transport, input.Device, input.Remember), Flow: input.Flow, Credential: credential(input.Credential),
	}))
}

// SignInAnonymously is the resolver for the signInAnonymously field.
func (r *mutationResolver) SignInAnonymously(ctx context.Context, input model.SignInAnonymouslyInput) (*model.SignInPayload, error) {
	return signIn(r.Auth.SignInAnonymously(ctx, entry(input.Transport, nil, true)))
}

// BeginProvider is the resolver for the beginProvider field.
func (r *mutationResolver) BeginProvider(ctx context.Context, input model.BeginProviderInput) (*model.BeginProviderPayload, error) {
	url, err := r.Auth.BeginProvider(ctx, webauth.BeginProviderCmd{Provider: input.Provider, ReturnTo: text(input.ReturnTo), Link: input.Link})
	if err != nil {
		return nil, err
	}
	return &model.BeginProviderPayload{URL: url}, nil
}

// SignOut is the resolver for the signOut field.
func (r *mutationResolver) SignOut(ctx context.Context) (*model.SignOutPayload, error) {
	ended, err := r.Auth.SignOut(ctx)
	if err != nil {
		return nil, err
	}
	return &model.SignOutPayload{Ended: ended}, nil
}

// RequestPasswordReset is the resolver for the requestPasswordReset field.
func (r *mutationResolver) RequestPasswordReset(ctx context.Context, input model.RequestPasswordResetInput) (*model.MailSent, error) {
	return mailSent(r.Auth.RequestPasswordReset(ctx, input.Email))
}

// ResetPassword is the resolver for the resetPassword field.
func (r *mutationResolver) ResetPassword(ctx context.Context, input model.ResetPasswordInput) (*model.ResetPasswordPayload, error) {
	ended, err := r.Auth.ResetPassword(ctx, webauth.ResetCmd{
		MailProof: webauth.MailProof{Flow: text(input.Flow), Code: text(input.Code), Token: text(input.Token)}, Password: input.Password,
	})
	if err != nil {
		return nil, err
	}
	return &model.ResetPasswordPayload{Ended: ended}, nil
}

// AuthSettings is the resolver for the authSettings field.
func (r *queryResolver) AuthSettings(ctx context.Context) (*model.AuthSettings, error) {
	s := r.Auth.Settings()
	return &model.AuthSettings{
		Registration: model.RegistrationMode(s.Registration), AllowedDomains: s.Domains, TermsVersion: some(s.Terms),
		Providers: s.Providers, Mailbox: s.Mailbox,
	}, nil
}

// Mailbox is the resolver for the mailbox field.
func (r *queryResolver) Mailbox(ctx context.Context, first *int, after *string, last *int, before *string) (*model.MailConnection, error) {
	p, err := r.Auth.Mailbox(ctx, pageArgs(first, after, last, before))
	if err != nil {
		return nil, err
	}
	return &model.MailConnection{
		Edges: edges(ctx, p, func(cursor string, m webauth.Mail) model.MailEdge { return model.MailEdge{Cursor: cursor, Node: m} }),
		Nodes: p.Items, PageInfo: pageInfo(p),
	}, nil
}
