package graph

import (
	"time"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/bag"
)

func datum(d bag.Datum) model.SessionDatum {
	return model.SessionDatum{
		Key: d.Key, Value: d.Value, Revision: int(d.Revision), OnSignIn: model.MergeRule(d.OnSignIn), ExpiresAt: d.ExpiresAt,
	}
}

func setCmd(in model.SetSessionDataInput) bag.SetCmd {
	c := bag.SetCmd{Key: in.Key, Value: in.Value}
	if in.Revision != nil {
		based := int64(*in.Revision)
		c.Revision = &based
	}
	if in.OnSignIn != nil {
		c.OnSignIn = bag.Rule(*in.OnSignIn)
	}
	if in.TTL != nil {
		c.TTL = time.Duration(*in.TTL) * time.Second
		if *in.TTL == 0 {
			c.TTL = -1 // lapsed already: refused, while a TTL that is not given means the default
		}
	}
	return c
}
