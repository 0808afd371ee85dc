package webauth

// Service is the business of this package.
type Service struct{}
