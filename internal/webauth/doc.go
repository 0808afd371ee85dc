package webauth
