// Command backendbook is the server and its administration.
package main

//go:generate go tool gqlgen generate

func main() {}
