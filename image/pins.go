package main

// The modules whose files go into images are empty Go packages; importing them
// keeps them pinned in go.mod. randomd is pinned there as a tool.
import (
	_ "github.com/gokrazy/firmware"
	_ "github.com/gokrazy/kernel.arm64"
	_ "github.com/gokrazy/kernel.rpi"
)
