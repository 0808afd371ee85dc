package account

import "go.mongodb.org/mongo-driver/v2/bson"

// pendingRecord is a [Pending] as stored.
type pendingRecord struct {
	ID       string `bson:"id"`
	Email    string `bson:"email"`
	EmailKey string `bson:"emailKey"`
	Name     string `bson:"name"`
	Username string `bson:"username,omitempty"`
	Locale   string `bson:"locale,omitempty"`
	Terms    string `bson:"terms,omitempty"`
	Hash     string `bson:"hash,omitempty"`
}

// MarshalBSON is the registration as a document {id, email, emailKey, name, username, locale, terms, hash}. A field of
// type Pending nests it; it cannot be inlined.
func (p Pending) MarshalBSON() ([]byte, error) {
	return bson.Marshal(pendingRecord{p.ID, p.Email, p.EmailKey, p.Name, p.Username, p.Locale, p.Terms, p.hash.reveal()})
}

// UnmarshalBSON reads what MarshalBSON gave.
func (p *Pending) UnmarshalBSON(b []byte) error {
	var r pendingRecord
	if err := bson.Unmarshal(b, &r); err != nil {
		return err
	}
	*p = Pending{r.ID, r.Email, r.EmailKey, r.Name, r.Username, r.Locale, r.Terms, hashed(r.Hash)}
	return nil
}
