// Package casbin compares this server's checks with those of casbin; it is a module of its own, so that casbin is no dependency of the product.
package casbin
