//go:build !linux

package screen

import "io/fs"

// Open gives the terminal for the screen; elsewhere than on Linux there is none.
func Open() (Terminal, error) { return nil, fs.ErrNotExist }

// ShowLog does nothing here.
func ShowLog() {}
