// Package config is the only reader of the command line, of the environment and of the configuration file. It resolves
// every setting once, at start, and fills the Config struct of each package.
//
// A setting is a field of [Config]; its tags are its documentation, and one name serves everywhere: `mongodb.database`
// in the file is `--mongodb-database` on the command line and BACKENDBOOK_MONGODB_DATABASE in the environment. A flag
// beats the environment, the environment beats the file, the file beats the default. An unknown key is refused in all
// three, and all problems are told at once, each with the place it comes from.
//
// A setting that is a secret is also read from the file named by its variable with _FILE at the end, and never printed.
package config
