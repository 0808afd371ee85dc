package session

// Service is the business of this package.
type Service struct{}
