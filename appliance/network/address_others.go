//go:build !linux

package network

// SetOwnAddress does nothing: only a station's image has such boards.
func SetOwnAddress(string) error { return nil }
