package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/backendbook/backendbook/graph"
	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/demo"
	"github.com/backendbook/backendbook/internal/factor"
	"github.com/backendbook/backendbook/internal/httpapi"
	"github.com/backendbook/backendbook/internal/mail"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/session"
	"github.com/backendbook/backendbook/internal/social"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/mongod"
	"github.com/backendbook/backendbook/internal/trace"
	"github.com/backendbook/backendbook/internal/webauth"
)

// product is how this server calls itself in mails and in authenticator apps.
const product = "Backend Book"

// ForStore is the Config of package store; the URI of a managed MongoDB is known later.
func (c *Config) ForStore() store.Config {
	return store.Config{
		URI: c.MongoDB.URI, Database: c.MongoDB.Database, Timeout: c.MongoDB.Timeout, StartWait: c.MongoDB.Wait,
		MaxPoolSize: uint64(max(c.MongoDB.Pool, 0)),
	}
}

// ForTrace is the Config of package trace.
func (c *Config) ForTrace(version string) trace.Config {
	return trace.Config{Endpoint: c.Telemetry.Endpoint, Sample: c.Telemetry.Sample, Version: version}
}

// ForMongod is the Config of package mongod. attach lets a command use the MongoDB of a server that runs.
func (c *Config) ForMongod(attach bool) mongod.Config {
	return mongod.Config{
		DataDir: filepath.Join(c.DataDir, "mongodb"), CacheDir: c.Managed.CacheDir,
		Binary: c.Managed.Binary, AllowDownload: c.Managed.Download, Attach: attach,
	}
}

// ForAccount is the Config of package account.
func (c *Config) ForAccount() account.Config {
	return account.Config{Cost: c.hashCost(), HashSlots: c.Auth.HashSlots}
}

func (c *Config) hashCost() account.Cost {
	return account.Cost{MemoryKiB: uint32(max(c.Auth.HashMemory, 0)), Passes: uint32(max(c.Auth.HashPasses, 0)), Threads: 1} //nolint:gosec // bounded by the tags
}

// ForWebauth is the Config of package webauth.
func (c *Config) ForWebauth() webauth.Config {
	return webauth.Config{
		Registration: webauth.Mode(strings.ToUpper(c.Auth.Registration)), Domains: c.Auth.AllowedDomains, Terms: c.Auth.TermsVersion,
		FactorRoles: c.Auth.FactorRoles, DeleteGrace: c.Auth.DeleteGrace, PublicURL: c.PublicURL,
		PerAccount: c.Auth.PerAccount, PerNetwork: c.Auth.PerNetwork,
	}
}

// ForFactor is the Config of package factor.
func (c *Config) ForFactor() factor.Config {
	return factor.Config{Product: product, Origin: c.PublicURL, MoreOrigins: c.AllowedOrigins}
}

// ForMail is the Config of package mail.
func (c *Config) ForMail() mail.Config {
	return mail.Config{
		Host: c.Mail.Host, Port: c.Mail.Port, User: c.Mail.User, Password: c.Mail.Password, TLS: c.Mail.TLS,
		From: c.Mail.From, Templates: c.Mail.Templates, Product: product, PublicURL: c.PublicURL,
	}
}

// ForSocial is the Config of package social; the file of the providers is read here.
func (c *Config) ForSocial() (social.Config, error) {
	cfg := social.Config{PublicURL: c.PublicURL, AllowPrivate: !c.IsProduction()}
	if c.Auth.ProvidersFile == "" {
		return cfg, nil
	}
	b, err := os.ReadFile(c.Auth.ProvidersFile)
	if err != nil {
		return cfg, err
	}
	cfg.Providers, err = social.ParseProviders(b)
	return cfg, err
}

// ForSession is the Config of package session.
func (c *Config) ForSession() session.Config {
	return session.Config{
		Idle: c.Session.Idle, Absolute: c.Session.Absolute, Brief: c.Session.Brief, Access: c.Session.Access, MaxSessions: c.Session.Max,
	}
}

// SessionPolicies are the stricter limits of roles and plans; the file of them is read here.
func (c *Config) SessionPolicies() (webauth.Policies, error) {
	if c.Session.Policies == "" {
		return webauth.Policies{}, nil
	}
	b, err := os.ReadFile(c.Session.Policies)
	if err != nil {
		return webauth.Policies{}, err
	}
	return webauth.ParsePolicies(b)
}

// ForHTTP is the Config of package httpapi.
func (c *Config) ForHTTP() httpapi.Config {
	return httpapi.Config{PublicURL: c.PublicURL, AllowedOrigins: c.AllowedOrigins, TrustedProxies: c.TrustedProxies, Rate: c.HTTP.Rate, Burst: c.HTTP.Burst, MaxImport: int64(c.Documents.MaxImport)}
}

// ForGraph is the Config of package graph.
func (c *Config) ForGraph() graph.Config {
	return graph.Config{
		MaxBodyBytes: int64(c.GraphQL.MaxBody), MaxDepth: c.GraphQL.MaxDepth, MaxAliases: c.GraphQL.MaxAliases, MaxCost: c.GraphQL.MaxCost, Concurrent: c.GraphQL.MaxConcurrent,
		Timeout: c.GraphQL.Timeout, MaxTimeout: c.GraphQL.MaxTimeout, Slow: c.GraphQL.Slow,
		Introspection: c.Introspection(), Development: !c.IsProduction(), TrustedOnly: c.GraphQL.Documents == "trusted",
	}
}

// TrustedDocuments reads the documents of the clients; nil for none.
func (c *Config) TrustedDocuments() (map[string]string, error) {
	if c.GraphQL.TrustedDocuments == "" {
		return nil, nil //nolint:nilnil // documented
	}
	b, err := os.ReadFile(c.GraphQL.TrustedDocuments)
	if err != nil {
		return nil, err
	}
	var manifest map[string]string
	if err := json.Unmarshal(b, &manifest); err != nil {
		return nil, fmt.Errorf("%s is no JSON object of texts: %w", c.GraphQL.TrustedDocuments, err)
	}
	return manifest, nil
}

// ForSockets is the Config of graph's WebSocket transport.
func (c *Config) ForSockets() graph.SocketConfig {
	origins := c.AllowedOrigins
	if c.PublicURL != "" {
		origins = append([]string{c.PublicURL}, origins...)
	}
	return graph.SocketConfig{
		Sockets: c.GraphQL.MaxSockets, UserSockets: c.GraphQL.UserSockets, AllowedOrigins: origins, Compression: c.GraphQL.Compression,
	}
}

// ForDemo is the Config of package demo.
func (c *Config) ForDemo() demo.Config {
	return demo.Config{DataDir: c.Demo.DataDir, Speed: c.Demo.Speed}
}

// ForRegistry is the Config of package registry, as far as it is settings.
func (c *Config) ForRegistry() registry.Config {
	return registry.Config{TrashFor: c.Documents.TrashFor, HistoryFor: c.Documents.HistoryFor}
}

// ForAttachment is the Config of package attachment.
func (c *Config) ForAttachment() attachment.Config {
	return attachment.Config{MaxBytes: int64(c.Attachments.MaxBytes), Types: c.Attachments.Types, LinkTTL: c.Attachments.LinkTTL}
}

// ForAnalytics is the Config of package analytics.
func (c *Config) ForAnalytics() analytics.Config {
	return analytics.Config{Network: c.Analytics.Network == "prefix"}
}

// ForS3 is the bucket of attachments.
func (c *Config) ForS3() blob.S3Config {
	a := c.Attachments
	return blob.S3Config{Endpoint: a.S3Endpoint, Bucket: a.S3Bucket, Region: a.S3Region, AccessKey: a.S3AccessKey, SecretKey: a.S3SecretKey, Prefix: a.S3Prefix}
}

// AttachmentsDir is the folder of attachments, for those in one.
func (c *Config) AttachmentsDir() string {
	if c.Attachments.Dir != "" {
		return c.Attachments.Dir
	}
	return filepath.Join(c.DataDir, "attachments")
}
