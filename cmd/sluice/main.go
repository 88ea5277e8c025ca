// Command sluice is a conda channel server with trusted publishing.
package main

import (
	"os"

	"sluice/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
