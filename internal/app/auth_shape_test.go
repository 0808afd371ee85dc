package app_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store"
)

// shownOnce are the fields that give a secret to who has just asked for it, and the one that tells whether there is one.
var shownOnce = map[string]string{
	"SignedIn.token": "shown this once", "SignedIn.device": "", "CreateAccessKeyPayload.token": "shown this once",
	"BeginTotpPayload.secret": "", "ConfirmTotpPayload.recoveryCodes": "shown this once",
	"AddPasskeyPayload.recoveryCodes": "shown this once", "MakeRecoveryCodesPayload.codes": "shown this once",
	"SignedIn.refreshToken": "shown this once", "SignedIn.tokenExpiresAt": "", "ImpersonatePayload.token": "shown this once",
	"RefreshSessionPayload.token": "", "RefreshSessionPayload.tokenExpiresAt": "", "RefreshSessionPayload.refreshToken": "",
	"CompleteElevationPayload.token": "", "CompleteElevationPayload.tokenExpiresAt": "", "CompleteElevationPayload.refreshToken": "",
	"ChangePasswordPayload.token": "", "ChangePasswordPayload.tokenExpiresAt": "", "ChangePasswordPayload.refreshToken": "",
	"ChangePreview.token": "shown this once",
	"Viewer.hasPassword":  "", "Factors.recoveryCodesLeft": "", "ForgetDevicePayload.device": "Global id",
}

// TestReq40NoFieldForSecrets: nothing in the schema, as the server tells it, could give out a hash, a seed or a token but
// the fields that show one once.
func TestReq40NoFieldForSecrets(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	var told struct {
		Schema struct {
			Types []struct {
				Name, Kind string
				Fields     []struct{ Name, Description string }
			}
		} `json:"__schema"`
	}
	s.Browser().Read(&told, `{ __schema { types { name kind fields(includeDeprecated: true) { name description } } } }`, nil)
	suspect := regexp.MustCompile(`(?i)hash|seed|secret|password|passphrase|token|digest|salt|credential|private|sealed|recovery|^codes?$|challenge|verifier|nonce|signature|cookie|device$`)
	roots := []string{"Query", "Mutation", "Subscription"}
	found, fields := map[string]bool{}, 0
	for _, typ := range told.Schema.Types {
		if strings.HasPrefix(typ.Name, "__") || slices.Contains(roots, typ.Name) {
			continue
		}
		for _, f := range typ.Fields {
			fields++
			name := typ.Name + "." + f.Name
			if !suspect.MatchString(f.Name) || f.Name == "code" && typ.Name != "Mail" { // a code of an error or a reason
				continue
			}
			says, known := shownOnce[name]
			if found[name] = true; !known {
				t.Errorf("%s: what does it give out?", name)
			}
			if !strings.Contains(f.Description, says) {
				t.Errorf("%s does not say that it is %s: %s", name, says, f.Description)
			}
		}
	}
	if fields < 150 {
		t.Errorf("only %d fields were looked at", fields)
	}
	for name := range shownOnce {
		if !found[name] {
			t.Errorf("%s is gone: take it off the list", name)
		}
	}
}

// TestReq40StoredSecretsStayInside: whoever asks for all they can see of accounts, sessions, keys, factors and their data
// gets nothing of what the database holds as a secret, not as text and not encoded.
func TestReq40StoredSecretsStayInside(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	p := newPerson(t, s, "open")
	enrol(t, p, machineTime)
	accessKey(t, s, p, "registry.document.read")
	must[struct{}](t, root, "invite", map[string]any{"email": "guest@example.org"}, "invitation { id }")
	must[struct{}](t, p.Client, "addEmail", map[string]any{"email": "second@example.org"}, "flow")
	var answers strings.Builder
	for _, c := range []*apptest.Client{p.Client, root, s.Browser()} {
		for _, query := range []string{
			`{ me { user { id kind name username email createdAt disabledAt } session { id ip userAgent methods } emails { email verifiedAt } locale hasPassword termsVersion permissions } }`,
			`{ myData }`, `{ myFactors { items { id kind name createdAt lastUsedAt } recoveryCodesLeft } }`, `{ myIdentities { id provider email } }`,
			`{ myAccessKeys { nodes { id owner name hint scopes createdAt expiresAt lastUsedAt revokedAt } } }`, `{ users { nodes { id kind name username email } } }`,
			`{ invitations { nodes { id email role plan } } }`, `{ authSettings { registration providers { key name } } }`,
		} {
			b, err := json.Marshal(c.Do(query, nil).Data)
			if err != nil {
				t.Fatal(err)
			}
			answers.Write(b)
		}
	}
	if !strings.Contains(answers.String(), "TOTP") || !strings.Contains(answers.String(), "guest@example.org") || !strings.Contains(answers.String(), "exportedAt") {
		t.Fatalf("the answers are not what the test takes them for: %s", answers.String())
	}
	secrets := 0
	for _, name := range []string{"users", "sessions", "devices", "factors", "recovery_codes", "tickets", "outbox"} {
		all, err := store.Find[bson.M](t.Context(), s.DB().Collection(name), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range all {
			for _, secret := range opaque(doc) {
				if secrets++; strings.Contains(answers.String(), secret) {
					t.Errorf("an answer holds %.12s… of %s", secret, name)
				}
			}
		}
	}
	if secrets < 20 {
		t.Errorf("only %d secrets were looked for", secrets)
	}
}

var hashField = regexp.MustCompile(`(?i)hash|password|seed|secret|sealed|body|salt`)

// opaque are the secrets of a document in every form an answer could hold them: all binary values, and texts by their names.
func opaque(doc bson.M) (all []string) {
	for name, v := range doc {
		switch v := v.(type) {
		case bson.Binary:
			all = append(all, hex.EncodeToString(v.Data), base64.StdEncoding.EncodeToString(v.Data), base64.RawURLEncoding.EncodeToString(v.Data))
		case bson.M:
			all = append(all, opaque(v)...)
		case bson.D:
			all = append(all, opaque(maps.Collect(pairs(v)))...)
		case bson.A:
			for _, e := range v {
				all = append(all, opaque(bson.M{name: e})...)
			}
		case string:
			if hashField.MatchString(name) && len(v) > 8 {
				all = append(all, v)
			}
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < 8 })
}

func pairs(d bson.D) func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		for _, e := range d {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// TestReq52ProviderTokensStayOutside: nothing that a provider gives us but who somebody is can be asked for or is kept.
func TestReq52ProviderTokensStayOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apptest.Setup{}, "mock")
	c := w.Browser()
	w.through(c, "mock", accountAt("sub-1", "pat@example.org"), nil)
	kept := stored(t, w.Server, "identities", "users", "sessions", "events", "tickets")
	shown, _ := json.Marshal(c.Do(`{ myData }`, nil).Data)
	if !strings.Contains(kept, "sub-1") || !strings.Contains(string(shown), "sub-1") {
		t.Fatalf("the test is blind: %s", shown)
	}
	for _, secret := range []string{"access_token", "id_token", "refresh_token", "eyJ", w.providers["mock"].ClientSecret} {
		if strings.Contains(kept+string(shown), secret) {
			t.Errorf("%s is kept", secret)
		}
	}
	for _, p := range parsed(t).Types["Identity"].Fields {
		if !slices.Contains([]string{"id", "provider", "email", "createdAt", "lastUsedAt"}, p.Name) {
			t.Errorf("an identity shows %s", p.Name)
		}
	}
}
