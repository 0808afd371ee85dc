package session

import (
	"context"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/token"
)

// Device is a browser or an app somebody has signed in from. It is known by a secret that stays there; to know it is no
// proof of anything, only a sign that a sign-in is nothing new, unless its user trusts it. One browser has one secret and is a Device of each of its
// users.
type Device struct {
	ID         string    `bson:"_id"`
	User       string    `bson:"user"`
	UserAgent  string    `bson:"userAgent"` // at the last sign-in, at most 256 bytes
	IP         string    `bson:"ip"`        // at the last sign-in
	CreatedAt  time.Time `bson:"createdAt"`
	LastSeenAt time.Time `bson:"lastSeenAt"` // at the last sign-in
	// TrustedUntil is how long the user trusts it, if ever: see [Service.Trust].
	TrustedUntil *time.Time `bson:"trustedUntil,omitempty"`
}

// Ref is the device as a reference.
func (d Device) Ref() ref.Ref { return ref.New(ref.Device, d.ID) }

// Trusted reports whether the user trusts the device at that time. It says nothing of the other users of the same browser:
// each of them has a Device of their own.
func (d Device) Trusted(at time.Time) bool {
	return d.TrustedUntil != nil && at.Before(*d.TrustedUntil)
}

// Recognize tells whether the user has signed in before from the device that has this token. It changes nothing. A
// malformed or unknown token, and that of a device of others only, is not known. Cost: at most 1 read.
func (s *Service) Recognize(ctx context.Context, user, deviceToken string) (Device, bool, error) {
	d, ok := token.Parse(devicePrefix, deviceToken)
	if !ok {
		return Device{}, false, nil
	}
	return s.store.device(ctx, d, user)
}

// Remember notes that the user has signed in from a device, with what the request of ctx tells of it. The token is the one
// the device is to keep: its own, or a new one when it came with none that was made here for anybody. isNew tells that the
// user was not known there. It joins the transaction of ctx and asks for no permission: it belongs into a sign-in. The
// event session.device.added commits with a new one. Cost: 1 write for a known device, else 1 read and 3 writes.
func (s *Service) Remember(ctx context.Context, user, deviceToken string) (d Device, secret string, isNew bool, err error) {
	r, now := actor.RequestFrom(ctx), s.now()
	seen := Device{ID: ref.NewID(), User: user, UserAgent: cleanAgent(r.UserAgent), IP: r.IP, CreatedAt: now, LastSeenAt: now}
	err = s.db.InTx(ctx, func(ctx context.Context) (err error) {
		d, secret, isNew = Device{}, deviceToken, false
		digest, ok := token.Parse(devicePrefix, deviceToken)
		if ok {
			var known bool
			if d, known, err = s.store.seeDevice(ctx, digest, seen); err != nil || known {
				return err
			}
			if ok, err = s.store.isDevice(ctx, digest); err != nil {
				return err
			}
		}
		if !ok {
			secret, digest = token.New(devicePrefix)
		}
		d, isNew = seen, true
		if err := s.store.addDevice(ctx, digest, seen); err != nil {
			return err
		}
		return s.events.Append(ctx, kindDeviceAdded, seen.Ref(), about{User: user})
	})
	if err != nil {
		return Device{}, "", false, err
	}
	return d, secret, isNew, nil
}

// trusted is the data of the event session.device.trusted.
type trusted struct {
	User  string    `bson:"user"`
	Until time.Time `bson:"until"`
}

// Trust notes that the user trusts a device until then; a time that has passed takes the trust away. Another sign-in from it
// changes nothing of that. It joins the transaction of ctx and asks for no permission: what proof it takes, and what a
// trusted device is spared, is for the flow that calls it to decide. The event session.device.trusted commits with it.
// Cost: 2 writes.
//
// Errors: NOT_FOUND, also for a device of somebody else.
func (s *Service) Trust(ctx context.Context, user, deviceID string, until time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.trust(ctx, user, deviceID, until); err != nil {
			return err
		}
		return s.events.Append(ctx, kindDeviceTrusted, ref.New(ref.Device, deviceID), trusted{user, until})
	})
}

// MaxDevices is how many devices of a user [Service.DevicesOf] gives.
const MaxDevices = 100

// DevicesOf gives the devices of a user by when they were first seen, newest first, at most [MaxDevices]. It asks for no
// permission. One find.
func (s *Service) DevicesOf(ctx context.Context, user string) ([]Device, error) {
	return s.store.devicesOf(ctx, user)
}

// ForgetDevice makes one device of a user an unknown one; its sessions go on. It joins the transaction of ctx and asks for
// no permission. The event session.device.forgotten, on the device, commits with it. Cost: 2 writes.
//
// Errors: NOT_FOUND, also for a device of somebody else.
func (s *Service) ForgetDevice(ctx context.Context, user, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.store.deleteDevice(ctx, user, id); err != nil {
			return err
		}
		return s.events.Append(ctx, kindDeviceForgotten, ref.New(ref.Device, id), about{User: user})
	})
}

// ForgetDevices makes every device of a user an unknown one. It joins the transaction of ctx and asks for no permission.
// The event session.device.forgotten, on the user, commits with it if there was any. Cost: at most 2 writes.
func (s *Service) ForgetDevices(ctx context.Context, user string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.store.deleteDevices(ctx, user)
		if err != nil || n == 0 {
			return err
		}
		return s.events.Append(ctx, kindDeviceForgotten, ref.New(ref.User, user), forgotten{n})
	})
}

// forgotten is the data of the event session.device.forgotten.
type forgotten struct {
	Devices int `bson:"devices"`
}
