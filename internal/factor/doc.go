// Package factor keeps what people have besides a password: authenticator apps (TOTP), passkeys, and the recovery codes
// for the day both are lost.
//
// It says whether somebody has a factor and whether a proof of one is good. Who may ask, how often, and what follows is
// for the flow that calls it: nothing here asks for a permission or counts attempts.
//
// Invariants: what somebody has is read from the stored factors at each question, never from a summary, so a factor
// removed counts no more. A proof counts once: the time step of a TOTP code is written down by a conditional update, a
// recovery code leaves its set with its use, a passkey's challenge is spent before its answer is looked at. A factor is
// its owner's: another's id is like an unknown one. A user without TOTP and passkey has no recovery codes.
//
// At rest: TOTP seeds are sealed by the key ring. A recovery code has 50 bits, too few for a plain hash, and salted
// password hashes would cost ten of them for each attempt; so it is stored as HMAC-SHA-256 under a random key of its set,
// and that key is sealed by the ring. Who has the database alone can try nothing. Passkeys are public keys. Attestation
// is neither asked for nor kept: it would tell the maker of somebody's device, and no rule here depends on that.
//
// Passkeys: the public URL decides their domain (relying party id) for good, since they work for no other. Their
// challenges are tickets of the kinds "passkey-add" and "passkey-check", which last 5 minutes. The user handle, which an
// authenticator keeps, is the user's id.
//
// Collection: factors {_id, user, kind, name, createdAt, lastUsedAt?, pendingUntil?, totp? {seed, step}, passkey?
// {credential, publicKey, aaguid, transports, flags, signCount}}; with pendingUntil it is an enrolment of an app that
// nobody confirmed yet, and no factor.
// Indexes: by user and _id; by passkey.credential, unique; by user, unique, of those pending; TTL on pendingUntil.
// Collection: recovery_codes {_id: user, key, codes: [HMAC], createdAt, touched}; one document is one set, and a used
// code is gone from it.
// Events: factor.factor.added, factor.factor.renamed, factor.factor.removed {user, kind, name}, on the factor;
// factor.passkey.counter_regressed {user, stored, shown}, on the factor; factor.recovery_set.made {count},
// factor.recovery_set.voided {left}, factor.recovery_code.used {left}, on the user.
package factor
