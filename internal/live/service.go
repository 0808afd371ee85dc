package live

// Service is the business of this package.
type Service struct{}
