package account

// Service is the business of this package.
type Service struct{}
