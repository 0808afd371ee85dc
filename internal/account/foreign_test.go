package account

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// djangoHashes are hashes of goodPassword, made by Django 5.2, bcrypt 5 and passlib 1.7, with costs for tests.
var djangoHashes = map[string]string{
	"pbkdf2_sha256": "pbkdf2_sha256$1000$y3sYP21jKpJQJ8hys7l5LD$7cpsHJMq0iUnEdNQ4tT0ZctvgUOZpYH5NOvHM0YeQXM=",
	"pbkdf2_sha1":   "pbkdf2_sha1$1000$pkaYd7ycickNwmHR0h7qZR$fhNOxcUSiJ1kNYFkrpMBn08itj4=",
	"argon2":        "argon2$argon2id$v=19$m=64,t=1,p=2$OVVKUzlQOElPREk2TnVwS29lbUFUTg$in6USx3coR/7zYAziqLOwHfewvw2nmvxBZvwX5rwqhc",
	"argon2id":      "$argon2id$v=19$m=64,t=1,p=2$OVVKUzlQOElPREk2TnVwS29lbUFUTg$in6USx3coR/7zYAziqLOwHfewvw2nmvxBZvwX5rwqhc",
	"bcrypt_sha256": "bcrypt_sha256$$2b$04$.WAjgmlu6oMoPseyjRb6o.FCud1ozpd8cLKvRH6phSVsEonCX63dC",
	"bcrypt Django": "bcrypt$$2b$04$kkL7VZSEku2d/zlbV8IgCuxm7uynw0H8oVbaww6640.9cLmvIx8l2",
	"scrypt Django": "scrypt$1024$Rs0URAVlwBlKmRobD63QDk$8$5$/T5lAsdefRx06H3/ilBI4shUeXuXM6KfZhs8G19TMElJ4IMz1paELGWXN18DkaEsfKwXbV+3aZHSArXYhPUUKA==",
	"bcrypt":        "$2b$04$.iqQtgSQkFIbVdEQ8Yu2Qu6A7UGT2OLWuOs6XzR5E8s16lU6j22uG",
	"bcrypt 2a":     "$2a$04$aXFKwsERePBRIpzjuNkbvuMTC/ecPLOHxROj4nkAR6C6p4Opf3pI.",
	"bcrypt 2y":     "$2y$04$abcdefghijklmnopqrstuu3s6U8pFyjHLw/sKGqmT7/IwPMHxgcxu", // by glibc's crypt, as PHP does it
	"scrypt":        "$scrypt$ln=10,r=8,p=1$PYdQitH6n1MKIUSIMQYAIA$8GYsMNMVZZp/sxsU7OPJ29ncyq0EHSlumCBK6lpYCvE",
}

func TestForeignHashes(t *testing.T) {
	t.Parallel()
	for name, text := range djangoHashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := parseHash(text)
			if err != nil {
				t.Fatal(err)
			}
			for password, want := range map[string]bool{goodPassword: true, goodPassword + " ": false, "": false, strings.ToUpper(goodPassword): false} {
				if got := p.matches(password, argon); got != want {
					t.Errorf("matches(%q) = %v", password, got)
				}
			}
			if p.current(DefaultCost()) {
				t.Error("it would never be made anew")
			}
		})
	}
}

// Who had a long password under bcrypt keeps it: the implementation there cut it at 72 bytes too.
func TestBcryptOfALongPassword(t *testing.T) {
	t.Parallel()
	p, err := parseHash("$2b$04$CYlaiNJF5kH8JW6LPbr7OucyjsyoXQGkZWkU3cOSqVL1TWyiYaE/y")
	if err != nil {
		t.Fatal(err)
	}
	if long := strings.Repeat("ä", 36) + "tail"; !p.matches(long, argon) || p.matches(long[2:], argon) {
		t.Error("a password of more than 72 bytes does not match")
	}
}

func TestForeignRefuses(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	raw := strings.TrimRight(key, "=")
	bc := "CYlaiNJF5kH8JW6LPbr7OucyjsyoXQGkZWkU3cOSqVL1TWyiYaE/y"
	for name, text := range map[string]string{
		"empty":                    "",
		"plain text":               goodPassword,
		"md5":                      "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
		"unusable in Django":       "!M5fWLXuXsZ3nQFXFkzNRcsGsAC7SmqIhSpC6jTMl",
		"argon2i":                  "$argon2i$v=19$m=512,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$" + raw,
		"SHA-512 crypt":            "$6$salt$" + raw,
		"huge":                     "pbkdf2_sha256$1000$" + strings.Repeat("a", 1<<20) + "$" + key,
		"line end":                 djangoHashes["scrypt"] + "\n",
		"bcrypt too dear":          "$2b$15$" + bc,
		"bcrypt too cheap":         "$2b$03$" + bc,
		"bcrypt 31":                "$2b$31$" + bc,
		"bcrypt of PHP's bug":      "$2x$04$" + bc,
		"bcrypt without minor":     "$2$04$" + bc,
		"bcrypt cut":               "$2b$04$" + bc[:52],
		"bcrypt longer":            "$2b$04$" + bc + "y",
		"bcrypt_sha256 bare":       "bcrypt_sha256$",
		"scrypt too much memory":   "$scrypt$ln=19,r=8,p=1$c2FsdHNhbHQ$" + raw,
		"scrypt too much work":     "$scrypt$ln=18,r=8,p=2$c2FsdHNhbHQ$" + raw,
		"scrypt ln 0":              "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$" + raw,
		"scrypt ln 63":             "$scrypt$ln=63,r=8,p=1$c2FsdHNhbHQ$" + raw,
		"scrypt r 0":               "$scrypt$ln=10,r=0,p=1$c2FsdHNhbHQ$" + raw,
		"scrypt p 0":               "$scrypt$ln=10,r=8,p=0$c2FsdHNhbHQ$" + raw,
		"scrypt more":              "$scrypt$ln=10,r=8,p=1,x=1$c2FsdHNhbHQ$" + raw,
		"scrypt padding":           "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ=$" + raw,
		"scrypt no key":            "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ$",
		"scrypt no salt":           "$scrypt$ln=10,r=8,p=1$$" + raw,
		"scrypt short":             "$scrypt$ln=10,r=8,p=1",
		"scrypt n odd":             "scrypt$1000$salt$8$1$" + key,
		"scrypt n 1":               "scrypt$1$salt$8$1$" + key,
		"scrypt n a sign":          "scrypt$+1024$salt$8$1$" + key,
		"scrypt n no number":       "scrypt$many$salt$8$1$" + key,
		"scrypt n over":            "scrypt$18446744073709551616$salt$8$1$" + key,
		"scrypt r negative":        "scrypt$1024$salt$-8$1$" + key,
		"scrypt r over":            "scrypt$1024$salt$16777216$16777216$" + key,
		"scrypt key not base64":    "scrypt$1024$salt$8$1$???",
		"scrypt one part more":     "scrypt$1024$salt$8$1$" + key + "$x",
		"pbkdf2 too many":          "pbkdf2_sha256$2500001$salt$" + key,
		"pbkdf2 none":              "pbkdf2_sha256$0$salt$" + key,
		"pbkdf2 leading zero":      "pbkdf2_sha256$01000$salt$" + key,
		"pbkdf2 no salt":           "pbkdf2_sha256$1000$$" + key,
		"pbkdf2 no key":            "pbkdf2_sha256$1000$salt$",
		"pbkdf2 key of SHA-1":      "pbkdf2_sha256$1000$salt$fhNOxcUSiJ1kNYFkrpMBn08itj4=",
		"pbkdf2 key of SHA-256":    "pbkdf2_sha1$1000$salt$" + key,
		"pbkdf2 of another hash":   "pbkdf2_md5$1000$salt$" + key,
		"Django's prefix, no more": "argon2$",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := parseHash(text); !errors.Is(err, errPHC) || p != nil && fmt.Sprint(p) != fmt.Sprint(phc{}) {
				t.Errorf("parseHash() = %+v, %v", p, err)
			}
		})
	}
}

func FuzzParseHash(f *testing.F) {
	for _, text := range djangoHashes {
		f.Add(text)
	}
	f.Add("$scrypt$ln=30,r=8,p=1$$")
	f.Add("scrypt$1073741824$s$64$64$AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseHash(text)
		if err != nil {
			if err.Error() != errPHC.Error() {
				t.Errorf("the error tells about the text: %v", err)
			}
			return
		}
		switch p := p.(type) {
		case scryptHash:
			if 128*p.n*p.r*p.p > maxScryptWork || !plausible(p.key) {
				t.Errorf("%q asks for too much: %+v", text, p)
			}
		case pbkdf2Hash:
			if p.rounds > maxPBKDF2Rounds || len(p.key) > 32 {
				t.Errorf("%q asks for too much: %+v", text, p)
			}
		case phc:
			if !p.cost.sane() {
				t.Errorf("%q asks for too much: %+v", text, p)
			}
		}
	})
}

// BenchmarkForeign is what the dearest hash of each kind takes.
func BenchmarkForeign(b *testing.B) {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, text := range map[string]string{
		"argon2id": "$argon2id$v=19$m=262144,t=4,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
		"bcrypt":   "$2b$14$CYlaiNJF5kH8JW6LPbr7OucyjsyoXQGkZWkU3cOSqVL1TWyiYaE/y",
		"scrypt":   "scrypt$262144$salt$8$1$" + key,
		"pbkdf2":   "pbkdf2_sha256$2500000$salt$" + key,
	} {
		b.Run(name, func(b *testing.B) {
			p, err := parseHash(text)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				p.matches(goodPassword, argon)
			}
		})
	}
}
