package config

import (
	"path/filepath"

	"github.com/backendbook/backendbook/graph"
	"github.com/backendbook/backendbook/internal/demo"
	"github.com/backendbook/backendbook/internal/httpapi"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/mongod"
)

// ForStore is the Config of package store; the URI of a managed MongoDB is known later.
func (c *Config) ForStore() store.Config {
	return store.Config{
		URI: c.MongoDB.URI, Database: c.MongoDB.Database, Timeout: c.MongoDB.Timeout, StartWait: c.MongoDB.Wait,
		MaxPoolSize: uint64(max(c.MongoDB.Pool, 0)),
	}
}

// ForMongod is the Config of package mongod. attach lets a command use the MongoDB of a server that runs.
func (c *Config) ForMongod(attach bool) mongod.Config {
	return mongod.Config{
		DataDir: filepath.Join(c.DataDir, "mongodb"), CacheDir: c.Managed.CacheDir,
		Binary: c.Managed.Binary, AllowDownload: c.Managed.Download, Attach: attach,
	}
}

// ForSession is the Config of package session.
func (c *Config) ForSession() session.Config {
	return session.Config{Idle: c.Session.Idle, Absolute: c.Session.Absolute}
}

// ForHTTP is the Config of package httpapi.
func (c *Config) ForHTTP() httpapi.Config {
	return httpapi.Config{PublicURL: c.PublicURL, AllowedOrigins: c.AllowedOrigins, TrustedProxies: c.TrustedProxies}
}

// ForGraph is the Config of package graph.
func (c *Config) ForGraph() graph.Config {
	return graph.Config{
		MaxBodyBytes: int64(c.GraphQL.MaxBody), MaxDepth: c.GraphQL.MaxDepth, MaxAliases: c.GraphQL.MaxAliases,
		Timeout: c.GraphQL.Timeout, MaxTimeout: c.GraphQL.MaxTimeout,
		Introspection: c.Introspection(), Development: !c.IsProduction(),
	}
}

// ForSockets is the Config of graph's WebSocket transport.
func (c *Config) ForSockets() graph.SocketConfig {
	origins := c.AllowedOrigins
	if c.PublicURL != "" {
		origins = append([]string{c.PublicURL}, origins...)
	}
	return graph.SocketConfig{Sockets: c.GraphQL.MaxSockets, AllowedOrigins: origins}
}

// ForDemo is the Config of package demo.
func (c *Config) ForDemo() demo.Config {
	return demo.Config{DataDir: c.Demo.DataDir, Speed: c.Demo.Speed}
}
