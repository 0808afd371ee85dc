// Package social signs people in through other providers, as a client of OAuth 2.0 and OpenID Connect, and keeps which of
// a provider's accounts belong to which user.
//
// A sign-in has two halves. [Service.Begin] gives the address of the provider to send the browser to, and a secret for a
// cookie of that browser; [Service.Finish] takes what the provider sent the browser back with and gives [Claims]: what the
// provider says of the person. What follows from them, a session, a new user or another identity, is for a flow to decide.
//
// State, PKCE verifier and nonce are random and wait in a ticket for ten minutes. The state names the ticket; the cookie's
// secret, of which the ticket has the digest, proves that it is the same browser; so a link somebody else prepared signs
// nobody in. The ticket is spent before the provider is asked, whatever comes of it. Each provider has a callback path of
// its own and must name itself where it can (RFC 9207), so an answer of one is never taken to another.
//
// Invariants: an identity is the pair of issuer and subject, kept unique by an index; mail addresses and user names of a
// provider are for display and never find anybody, since providers rename and re-issue them. An ID token counts when it is
// signed by a key of the provider's own key set with an asymmetric algorithm, for us, for this sign-in, now. The provider's
// tokens are forgotten when the claims are read: they are stored nowhere. Requests go out through package outbound.
// A provider that is down fails its own sign-ins with PROVIDER_UNAVAILABLE and nothing else: what it says of itself is
// asked for at the first sign-in, kept for an hour, and the last good answer is used while there is no newer.
//
// A plain OAuth 2.0 provider (GitHub) has no ID token: the person is who its user endpoint says, and the address of that
// endpoint stands for the issuer. A provider that gives every customer an issuer of its own (Entra ID) must be configured
// with that issuer, not with the one for all.
//
// Collection: identities {_id, user, provider, issuer, subject, email?, createdAt, lastUsedAt?}.
// Indexes: by issuer and subject, unique; by user and _id.
// Events: social.identity.linked and social.identity.unlinked, both {user, provider, issuer, subject}.
// Tickets: of kind "oauth"; their subject is the user who wants to link an identity, or empty.
package social
